"""Kill snac-cache, or one of its workers, at random moments; run it again; compare the caches.

    uv run python tools/crash_test.py ../shared/speech/nathalie --kills 20

After every kill -9 the same command carries on, and is killed again. When it has come to its end
the cache must be, byte for byte, the one of a command that was left alone.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from snac_model.console import Tool, note, print_summary
from snac_model.errors import Failure


@click.command(cls=Tool, example="crash_test.py ../shared/speech/nathalie --kills 20")
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--kills", default=20, help="How often to kill.")
@click.option("--limit", default=120, help="Utterances in the cache.")
@click.option("--seed", default=0)
def main(*, folder: Path, kills: int, limit: int, seed: int) -> None:
    """Cache FOLDER once in peace and once between kills, and compare."""
    moments = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        run(module("manifest"), folder, "-o", work / "manifests")
        options = [
            "--manifest",
            work / "manifests",
            "--model",
            "builtin:speech-small",
            "--device",
            "cpu",
        ]
        options += ["--workers", 2, "--part-rows", 4, "--limit", limit, "--val-limit", 0]
        started = time.monotonic()
        run(module("cache"), *options, "--codes", work / "whole")
        seconds = time.monotonic() - started
        for number in range(kills):
            kill_one(moments, seconds, [*options, "--codes", work / "cut"], whole=number % 2 == 0)
        run(module("cache"), *options, "--codes", work / "cut")
        if contents(work / "whole") != contents(work / "cut"):
            raise Failure("the cache made between kills is not the one made in peace")
        parts = len(list((work / "cut" / "train").glob("part-*.parquet")))
    print_summary(kills=kills, parts=parts, identical=True)


def module(name: str) -> list[str]:
    """Return the start of a command line."""
    return [sys.executable, "-m", f"snac_cache.cli.{name}"]


def run(start: list[str], *arguments: object) -> None:
    """Run a command that must succeed."""
    subprocess.run([*start, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def kill_one(moments: random.Random, seconds: float, options: list[object], *, whole: bool) -> None:
    """Start the command and kill it, or one of its workers, at a random moment."""
    command = [*module("cache"), *map(str, options)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(moments.uniform(0.1, 0.9) * seconds)
    victims = [process.pid] if whole else workers(process.pid) or [process.pid]
    victim = moments.choice(victims)
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        note("it had ended before the kill")
    code = process.wait()
    note(f"killed {'the command' if victim == process.pid else 'a worker'}: exit code {code}")


def workers(parent: int) -> list[int]:
    """Return the worker processes of a command: those that its fork server has forked."""
    try:
        return [
            worker
            for child in children(parent)
            if b"forkserver" in Path(f"/proc/{child}/cmdline").read_bytes()
            for worker in children(child)
        ]
    except OSError:
        return []


def children(parent: int) -> list[int]:
    """Return the processes that a process has started."""
    return list(map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split()))


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file that a reader can see."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".partial"
    }


if __name__ == "__main__":
    main()
