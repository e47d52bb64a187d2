"""The real commands at full size: from start to first work, the end, and what processes hold.

    uv run python tools/bench/scale_commands.py

The manifest has 3,447,109 train rows, which share a few short files. snac-cache and snac-upsample
are started on it with four workers and are stopped soon after they have counted their first
utterance. Then a finished cache of that size is run again: as it is, and with one part missing.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import click
import numpy as np
import soundfile
from scale import FULL_SIZE
from watched import Watched, watch

from snac_model.console import Tool

MODEL = "builtin:speech-small"
WORKERS = 4
RUN_ON = 15.0  # seconds after the first utterance, in which workers reach their usual memory
SECONDS, RATE = 1.2, 16_000  # of each shared file: below 48 kHz, so that targets are made
COMMANDS = {
    "snac-cache": ("snac_cache.cli.cache", "--model", MODEL),
    "snac-upsample": ("snac_cache.cli.upsample", "--engine", "resample"),
}


@click.command(cls=Tool, example="bench/scale_commands.py --folder /tmp --divide-by 10")
@click.option("--folder", type=click.Path(exists=True, path_type=Path), help="For 8 GB of files.")
@click.option("--divide-by", default=1, help="Measure a fraction of the full size.")
def main(folder: Path | None, divide_by: int) -> None:
    """Start the commands on manifests of the full size and of ten rows; print Markdown tables."""
    size = {split: rows // divide_by for split, rows in FULL_SIZE.items()}
    with tempfile.TemporaryDirectory(dir=folder, prefix="snac-scale-") as root:
        audio = write_audio(Path(root))
        large, small = Path(root) / "large", Path(root) / "small"
        fabricate(large, size, audio, "--manifest-only")
        fabricate(small, {"train": 200, "val": 10}, audio, "--manifest-only")
        print(f"{size['train']:,} train rows, {WORKERS} workers on the processor:\n")
        print(
            "| | first utterance, s | CPU s of the command until then | command, GiB | worker, GiB "
            "| of it by the size |"
        )
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        for name, command in COMMANDS.items():
            print_start(name, start(command, large), start(command, small))
        shutil.rmtree(large)
        fabricate(large, size, audio)
        print_again(large)


def write_audio(folder: Path) -> list[Path]:
    """Write a few short files of noise."""
    paths = [folder / f"{number}.flac" for number in range(4)]
    for number, path in enumerate(paths):
        noise = np.random.default_rng(number).standard_normal(round(SECONDS * RATE))
        soundfile.write(path, 0.1 * noise, RATE)
    return paths


def fabricate(root: Path, size: dict[str, int], audio: Iterable[Path], *options: str) -> None:
    """Write manifests, and a cache of them unless told otherwise."""
    program = Path(__file__).parents[1] / "fabricate_cache.py"
    rows = [f"--{split}={count}" for split, count in size.items()]
    files = [f"--audio={path}" for path in audio]
    command = [sys.executable, str(program), "-o", str(root), *rows, *files, *options]
    subprocess.run(command, check=True, stdout=sys.stderr)


def start(command: tuple[str, ...], root: Path) -> Watched:
    """Start a command with its workers, and stop it when they have worked for a while."""
    where = ["--artifacts", root, "--device", "cpu", "--workers", WORKERS]
    return watch(*command, *where, run_on=RUN_ON)


def print_start(name: str, large: Watched, small: Watched) -> None:
    """Print what a start took, and how much more memory a worker has than on a tiny manifest."""
    first = "none" if large.first is None else f"{large.first:.1f}"
    print(
        f"| {name} | {first} | {large.first_cpu:.1f} | {large.command_peak:.2f} | "
        f"{large.worker_peak:.2f} | {large.worker_peak - small.worker_peak:+.2f} |"
    )


def print_again(root: Path) -> None:
    """Print what running again takes on a finished cache, and on one that lacks its last part."""
    command = COMMANDS["snac-cache"]
    where = ["--artifacts", root, "--device", "cpu", "--workers", WORKERS]
    print("\n| snac-cache, run again | s | from the last utterance to the end, s | GiB |")
    print("| --- | ---: | ---: | ---: |")
    whole = watch(*command, *where)
    print(f"| all parts finished | {whole.seconds:.1f} | | {whole.command_peak:.2f} |")
    last = max((root / "codes" / "val").glob("part-*.parquet"))
    last.unlink()
    one = watch(*command, *where)
    written = one.ended - last.stat().st_mtime
    print(f"| one of them missing | {one.seconds:.1f} | {written:.1f} | {one.command_peak:.2f} |")


if __name__ == "__main__":
    main()
