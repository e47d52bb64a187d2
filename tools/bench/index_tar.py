"""How fast a tar is indexed, and how fast snac-manifest takes all that is in it.

    uv run python tools/bench/index_tar.py --members 100000

The tar holds one short flac after another, each with JSON beside it. Indexing reads the tar's
headers; the scan also reads the JSON, each audio's header and its fingerprint. The file was just
written, so the system has it in memory.
"""

import io
import json
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import soundfile

from snac_cache.manifests.sources import Source
from snac_cache.sources.columns import Columns
from snac_cache.sources.inspect import Durations
from snac_cache.sources.scan import scan
from snac_cache.sources.tar_index import index_tar
from snac_cache.sources.webdataset import read_webdataset
from snac_common.tool import Tool

RATE = 24_000


@click.command(cls=Tool, example="bench/index_tar.py --members 100000")
@click.option("--members", default=100_000, help="Files in the tar; half of them are audio.")
@click.option("--workers", default=8, help="Threads that read headers.")
def main(members: int, workers: int) -> None:
    """Write a tar of MEMBERS files, and take its index, its text and its manifest rows."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "in" / "0.tar"
        write(path, members // 2)
        source = Source(path.parent, "in")
        steps: dict[str, Callable[[], object]] = {
            "index of the tar": lambda: sum(1 for _ in index_tar(str(path))),
            "utterances, with their text": lambda: sum(
                1 for _ in read_webdataset(source, Columns())
            ),
            "manifest rows": lambda: (
                scan(
                    [source],
                    val_ratio=0.05,
                    durations=Durations(0.1),
                    workers=workers,
                    advance=lambda count: None,
                ).num_rows
            ),
        }
        print(f"| {members} files in a tar | rows | s | processor, s |")
        print("| --- | ---: | ---: | ---: |")
        for what, step in steps.items():
            started, worked = time.perf_counter(), time.process_time()
            rows = step()
            seconds = time.perf_counter() - started
            print(f"| {what} | {rows} | {seconds:.1f} | {time.process_time() - worked:.1f} |")
    print()


def write(path: Path, count: int) -> None:
    """Write the tar; all audio is the same half second, whose bytes differ in a tag."""
    path.parent.mkdir()
    audio = io.BytesIO()
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE // 2)
    soundfile.write(audio, noise, RATE, format="FLAC")
    with tarfile.open(path, "w") as tar:
        for number in range(count):
            said = {"text": f"sentence {number}", "speaker": f"s{number % 9}", "language": "de"}
            for end, content in (("flac", audio.getvalue()), ("json", json.dumps(said).encode())):
                info = tarfile.TarInfo(f"{number:09}.{end}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            tar.members.clear()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
