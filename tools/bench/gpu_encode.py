"""Whether the GPU is fed: snac-cache in small parts and in large ones.

    uv run python tools/bench/gpu_encode.py ../shared/speech/nathalie --device cuda --hours 20

The files in FOLDER are joined to ones of 5 to 12 s and linked under as many names as make the hours
asked for, so the system has all of them in memory; over a network add --read-threads. The model has
the true size and random weights, which cost the same. Starting the command is part of the time, so
give hours that take it minutes.
"""

import contextlib
import ctypes
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import soundfile
from encode import seeded_model
from gpu_busy import gpu_busy, in_percent
from long_speech import join_speech

from snac_common.devices import available_cores
from snac_common.tool import Tool

PART_ROWS = (256, 4096)
SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@dataclass(frozen=True)
class Figures:
    """What one run of snac-cache took.

    Attributes:
        seconds: of the wall clock, from the start of the process to its end.
        cores: used on average.
        busy: how busy the GPUs were, if there are any.
    """

    audio_seconds: float
    seconds: float
    cores: float
    busy: str
    agreement: float | None


@click.command(cls=Tool, example="bench/gpu_encode.py ../shared/speech/nathalie --device cuda")
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cuda")
@click.option("--gpus", default="0", help="GPUs to use, such as 0,1,2,3.")
@click.option("--hours", type=float, help="Hours of audio. [default: 20 on a GPU, 0.02 on a CPU]")
@click.option("--precision", default="fp32", help="As of snac-cache.")
@click.option("--read-threads", type=int, help="As of snac-cache.")
def main(
    *,
    folder: Path,
    device: str,
    gpus: str,
    hours: float | None,
    precision: str,
    read_threads: int | None,
) -> None:
    """Encode copies of the speech in FOLDER and print a Markdown table."""
    adopt_grandchildren()
    count = len(gpus.split(",")) if device == "cuda" else 1
    where = ["--gpus", gpus] if device == "cuda" else ["--device", "cpu"]
    where += ["--read-threads", str(read_threads)] if read_threads else []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        seeded_model(work / "model")
        files = join_speech(folder, work / "joined", "flac")
        link(files, work / "in", 3600 * (hours or (20 if device == "cuda" else 0.02)))
        call("snac_cache.cli.manifest", work / "in", "-o", work / "manifests", "--val-ratio", 0)
        options = ["--manifest", work / "manifests", "--model", work / "model", *where]
        options += ["--precision", precision]
        measured = {rows: encode(work, rows, options, count) for rows in PART_ROWS}
    report(measured, f"{count} GPU" if device == "cuda" else f"{available_cores()} cores", count)


def link(files: list[Path], folder: Path, seconds: float) -> None:
    """Give the files so many names that they are ``seconds`` of audio."""
    folder.mkdir()
    done = 0.0
    for number, path in enumerate(itertools.cycle(files)):
        if done >= seconds:
            return
        os.link(path, folder / f"{number:07}{path.suffix}")
        done += soundfile.info(path).duration


def encode(work: Path, rows: int, options: list[object], gpus: int) -> Figures:
    """Run snac-cache with so many rows in a part."""
    arguments = [*options, "--part-rows", rows, "--codes", work / f"{rows}"]
    before, started = processor_seconds(), time.monotonic()
    with gpu_busy(gpus) as busy:
        summary = call("snac_cache.cli.cache", *arguments)
    seconds = time.monotonic() - started
    return Figures(
        audio_seconds=3600 * summary["hours"],
        seconds=seconds,
        cores=(processor_seconds() - before) / seconds,
        busy=in_percent(busy),
        agreement=summary["token_agreement"],
    )


def processor_seconds() -> float:
    """Return what all processes took that this one started, and those that they started."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()  # for those that outlived the command: workers belong to a server of it
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def adopt_grandchildren() -> None:
    """Become the parent of processes whose own parent ends, so that their time is counted here."""
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1)


def call(module: str, *arguments: object) -> dict[str, Any]:
    """Run one of our commands; return the line that closes its output."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return summary


def report(measured: dict[int, Figures], where: str, gpus: int) -> None:
    """Print the table."""
    hours = max(figures.audio_seconds for figures in measured.values()) / 3600
    print(f"Encoding {hours:.2f} hours of audio with snac-cache, {where}:\n")
    unit = "hour" if where.endswith("cores") else "GPU-hour"
    print(f"| rows in a part | hours of audio a {unit} | GPU busy | cores used | equal tokens |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for rows, figures in measured.items():
        rate = figures.audio_seconds / figures.seconds / gpus
        print(
            f"| {rows} | {rate:.1f} | {figures.busy} | {figures.cores:.1f} "
            f"| {figures.agreement:.6f} |"
        )
    small, large = (measured[rows] for rows in PART_ROWS)
    print(f"\nSmall parts take {small.seconds / large.seconds:.2f} times as long as large ones.\n")


if __name__ == "__main__":
    main()
