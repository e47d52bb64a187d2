"""Whether a caching worker's peak memory grows with the number of files.

    uv run python tools/bench/worker_memory.py ../shared/speech/nathalie

The same files are encoded once and again under other names, so that only their number differs.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import pyarrow as pa
from encode import command, seeded_model

from snac_cache.manifests.read import read_manifest
from snac_cache.manifests.write import write_manifest
from snac_cache.schema import MANIFEST, REJECTS
from snac_common.tool import Tool


@click.command(cls=Tool, example="bench/worker_memory.py ../shared/speech/nathalie")
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--files", default=50, help="Different files.")
@click.option("--times", default=8, help="How often the longer run encodes each.")
def main(folder: Path, files: int, times: int) -> None:
    """Encode the first files of FOLDER once and several times, and print the peaks."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        seeded_model(work / "model")
        command("snac_cache.cli.manifest", folder, "-o", work / "manifests")
        rows = read_manifest(work / "manifests")["train"].slice(0, files)
        peaks = {count: peak_gibibytes(rows, count, work) for count in (1, times)}
    print(
        "A worker's peak memory: "
        + ", ".join(
            f"{peak:.2f} GiB over {count * rows.num_rows} files" for count, peak in peaks.items()
        )
        + ".\n"
    )


def peak_gibibytes(rows: pa.Table, times: int, work: Path) -> float:
    """Encode the rows ``times`` times in one worker; return the process's peak memory."""
    repeated = [
        {**row, "utterance_id": f"{row['utterance_id']}-{number}"}
        for number in range(times)
        for row in rows.to_pylist()
    ]
    manifest = work / f"manifests-{times}"
    write_manifest(
        {"train": pa.Table.from_pylist(repeated, MANIFEST)}, REJECTS.empty_table(), manifest
    )
    options = [
        "--model",
        work / "model",
        "--manifest",
        manifest,
        "--codes",
        work / f"codes-{times}",
    ]
    arguments: list[object] = [
        sys.executable,
        "-m",
        "snac_cache.cli.cache",
        *options,
        "--device",
        "cpu",
    ]
    arguments += ["--workers", 1, "--part-rows", rows.num_rows]
    command_line = list(map(str, arguments))
    process = subprocess.Popen(command_line, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), command_line)
    return usage.ru_maxrss / 2**20


if __name__ == "__main__":
    main()
