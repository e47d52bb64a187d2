"""The real commands on a fabricated corpus: until the first utterance, and after the last one.

What they work on are a few real files of half a second, which all rows share.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from watched import Watched, watch

from snac_cache.work.plan import LARGEST_PART

CACHE, UPSAMPLE = "snac_cache.cli.cache", "snac_cache.cli.upsample"
TOOLS = Path(__file__).parents[1]
WORKERS = 4
MEASURED_ON = 20.0  # seconds after the first utterance, for memory
TINY = {"train": 64, "val": 64}
LOW_RATES, TARGET_RATE = (24_000, 44_100, 16_000), 48_000
MODEL = ["--model", "builtin:speech-small", "--device", "cpu"]
RESAMPLE = ["--engine", "resample"]


@dataclass(frozen=True)
class Command:
    """One of the commands, over manifests or over an artifact root."""

    name: str
    module: str
    options: list[str]
    rates: tuple[int, ...]
    output: str
    finished: str  # the files whose last one is written with the last utterance

    def run(self, root: Path, run_on: float | None = None) -> Watched:
        """Run it."""
        options = [*self.options, "--workers", WORKERS, "--artifacts", root]
        return watch(self.module, *options, run_on=run_on)


COMMANDS = (
    Command("snac-cache", CACHE, MODEL, LOW_RATES, "codes", "*/part-*.parquet"),
    Command("snac-upsample", UPSAMPLE, RESAMPLE, LOW_RATES, "audio48k", "parts/*/part-*.parquet"),
)


def measure_commands(size: dict[str, int], folder: Path | None) -> None:
    """Start each command on nothing, on all parts but one, and on all; print Markdown tables."""
    print(f"The commands with {WORKERS} workers on {sum(size.values()):,} rows:\n")
    print("| | first utterance, s | CPU s | peak GiB | of a worker | on 128 rows |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for command in COMMANDS:
        print_start(command, size, folder)
    print("\n| | last utterance to exit, s | all finished, s | peak GiB |")
    print("| --- | ---: | ---: | ---: |")
    for command in COMMANDS:
        print_end(command, size, folder)
    print(flush=True)


def print_start(command: Command, size: dict[str, int], folder: Path | None) -> None:
    """Start a command on manifests alone, and once on tiny ones."""
    with fabricated(size, command.rates, folder, "--manifest-only") as root:
        large = command.run(root, MEASURED_ON)
    with fabricated(TINY, command.rates, folder, "--manifest-only") as root:
        tiny = command.run(root)
    print(
        f"| {command.name} | {large.first:.1f} | {large.first_cpu:.1f} | {large.command_peak:.2f} "
        f"| {large.worker_peak:.2f} | {tiny.worker_peak:.2f} |",
        flush=True,
    )


def print_end(command: Command, size: dict[str, int], folder: Path | None) -> None:
    """Run a command where one part is left, and where none is."""
    is_cache = command.module == CACHE
    more = [] if is_cache else ["--manifest-only"]
    rates = command.rates if is_cache else (TARGET_RATE,)
    with fabricated(size, rates, folder, *more) as root:
        if not is_cache:
            tool("fabricate_targets.py", "-o", root)
        parts = root / command.output
        last = size["train"] // LARGEST_PART
        next(parts.glob(command.finished.replace("part-*", f"part-{last:05}"))).unlink()
        left = command.run(root)
        written = max(path.stat().st_mtime for path in parts.glob(command.finished))
        again = command.run(root)
    print(
        f"| {command.name} | {left.ended - written:.1f} | {again.seconds:.1f} "
        f"| {max(left.command_peak, again.command_peak):.2f} |",
        flush=True,
    )


@contextmanager
def fabricated(
    size: dict[str, int], rates: tuple[int, ...], folder: Path | None, *options: str
) -> Iterator[Path]:
    """Yield an artifact root over files at some sampling rates."""
    root = Path(tempfile.mkdtemp(dir=folder, prefix="snac-scale-"))
    try:
        for rate in rates:
            options = (*options, "--audio", str(write_noise(root / f"{rate}.flac", rate)))
        rows = [f"--{split}={count}" for split, count in size.items()]
        tool("fabricate_cache.py", "-o", root, *rows, *options)
        yield root
    finally:
        shutil.rmtree(root)


def write_noise(path: Path, rate: int) -> Path:
    """Write half a second of noise."""
    soundfile.write(path, 0.1 * np.random.default_rng(rate).standard_normal(rate // 2), rate)
    return path


def tool(name: str, *options: object) -> None:
    """Run one of the tools that fabricate."""
    command = [sys.executable, str(TOOLS / name), *map(str, options)]
    subprocess.run(command, check=True, stdout=sys.stderr)
