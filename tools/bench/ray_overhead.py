"""What Ray adds to the cost of a cache, with as many workers as without it.

    uv run python tools/bench/ray_overhead.py ../shared/speech/nathalie

The same utterances, by workers that the command starts itself and by actors of a Ray that it starts
(``--ray local``), in turns. Two sizes tell what is paid once from what is paid for each utterance.
Processor time is that of all processes together, Ray's own too, as it depends least on what else
the machine does.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import click

from snac_common.tool import Tool

EVERY_SECONDS = 0.2
WAYS = {"local workers": ["--device", "cpu"], "--ray local": ["--ray", "local"]}


@click.command(cls=Tool, example="ray_overhead.py ../shared/speech/nathalie\n")
@click.argument("speech", type=click.Path(exists=True, path_type=Path))
@click.option("--limit", type=click.IntRange(1), default=200, help="Utterances of the larger size.")
@click.option("--workers", type=click.IntRange(1), default=2, help="Number of workers.")
@click.option("--turns", type=click.IntRange(1), default=2, help="Of which the fastest counts.")
def main(*, speech: Path, limit: int, workers: int, turns: int) -> None:
    """Print a Markdown table of both ways."""
    root = Path(tempfile.mkdtemp(prefix="ray-overhead-"))
    run("snac_cache.cli.manifest", speech, "-o", root / "manifests")
    sizes = (limit // 4, limit)
    costs: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for _ in range(turns):
        for size in sizes:
            for way, options in WAYS.items():
                cost = cache(root, size, [*options, "--workers", workers])
                costs.setdefault((way, size), []).append(cost)
    print("| | utterances | CPU s | s | CPU s an utterance | CPU s once |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for way in WAYS:
        small, large = (min(costs[way, size])[0] for size in sizes)
        each = (large - small) / (sizes[1] - sizes[0])
        seconds = min(seconds for _, seconds in costs[way, limit])
        print(
            f"| {way} | {limit} | {large:.1f} | {seconds:.1f} | {each:.3f} "
            f"| {large - limit * each:.1f} |"
        )
    shutil.rmtree(root)


def cache(root: Path, limit: int, options: list[object]) -> tuple[float, float]:
    """Make a cache; return its processor seconds, and its seconds."""
    given = ["--model", "builtin:speech-small", "--manifest", root / "manifests", "--limit", limit]
    given += ["--val-limit", 1, "--part-rows", 8, "--codes", root / "codes"]
    cost = run("snac_cache.cli.cache", *given, *options)
    shutil.rmtree(root / "codes")
    return cost


def run(module: str, *options: object) -> tuple[float, float]:
    """Run a command; return the processor seconds of all its processes, and its seconds."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", module, *map(str, options)],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    used: dict[str, float] = {}
    while process.poll() is None:
        look(process.pid, used)
        time.sleep(EVERY_SECONDS)
    if process.returncode:
        raise SystemExit(process.returncode)
    return sum(used.values()), time.monotonic() - started


def look(session: int, used: dict[str, float]) -> None:
    """Take down what each process of a session has used so far."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                ticks = int(fields[11]) + int(fields[12])
                used[f"{stat.parent.name} {fields[19]}"] = ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
