"""What a corpus of 3.4 million utterances costs: the commands' start and end, reader and checks.

    uv run python tools/bench/scale.py

First each step in a process of its own, at full size and at a tenth: its time is that of the work,
without starting Python, and its memory the peak of the whole process, with mapped pages and
without. The ratio is one of processor time, which depends less than the clock on what else the
machine does. Then the commands themselves, with 4 workers (see ``scale_commands.py``). The files
were just written, so the system has them in memory as far as they fit.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click
from scale_commands import measure_commands

from snac_common.tool import Tool

TRAIN, VAL = 3_447_109, 55_419
STEPS = {
    "map_manifest": "read the manifest, first time",
    "map_again": "read the manifest, again",
    "write_plan": "write the plan",
    "open_store": "open the store, first row, first time",
    "open_again": "open the store, first row, again",
    "rows_first": "1,000 random rows, parts not yet mapped",
    "rows_again": "1,000 random rows again",
    "segments": "1,000 training segments, without their audio",
    "index_of": "index_of, 1,000 ids",
    "check": "snac-check",
}


@dataclass(frozen=True)
class Cost:
    """What one step took: on the clock, on all cores together, and of memory at most.

    Attributes:
        own_gibibytes: without mapped files, whose pages the system shares and drops as it needs.
    """

    seconds: float
    cpu_seconds: float
    gibibytes: float
    own_gibibytes: float


@click.command(cls=Tool, example="bench/scale.py --folder /tmp --train 344711")
@click.option("--folder", type=click.Path(exists=True, path_type=Path), help="For 12 GB of files.")
@click.option("--train", default=TRAIN, help="Utterances in train; in val are a 62nd of them.")
@click.option("--median", default=4.7, metavar="SECONDS", help="Median duration, for the steps.")
@click.option(
    "--only", type=click.Choice(["all", "steps", "commands"]), default="all", help="What to do."
)
def main(folder: Path | None, train: int, median: float, only: str) -> None:
    """Fabricate corpora of N/10 and N rows, measure each step, print Markdown tables."""
    size = {"train": train, "val": train * VAL // TRAIN}
    if only != "commands":
        tenth = {split: rows // 10 for split, rows in size.items()}
        small, large = measure(tenth, median, folder), measure(size, median, folder)
        print_table(size, small, large)
    if only != "steps":
        measure_commands(size, folder)


def print_table(size: dict[str, int], small: dict[str, Cost], large: dict[str, Cost]) -> None:
    """Print what each step took at both sizes."""
    print(f"A cache of {size['train']:,} train and {size['val']:,} val rows:\n")
    print("| | a tenth, CPU s | CPU s | ratio | s | peak GiB | a tenth, own GiB | own GiB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for step, title in STEPS.items():
        before, after = small[step], large[step]
        print(
            f"| {title} | {before.cpu_seconds:.3f} | {after.cpu_seconds:.3f} | "
            f"{after.cpu_seconds / before.cpu_seconds:.1f} | "
            f"{after.seconds:.3f} | {after.gibibytes:.2f} | "
            f"{before.own_gibibytes:.2f} | {after.own_gibibytes:.2f} |"
        )
    print(flush=True)


def measure(size: dict[str, int], median: float, folder: Path | None) -> dict[str, Cost]:
    """Fabricate a cache, and run each step over it in a process of its own."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="snac-scale-") as root:
        fabricate = Path(__file__).parents[1] / "fabricate_cache.py"
        options = [f"--{split}={rows}" for split, rows in size.items()] + [f"--median={median}"]
        subprocess.run(
            [sys.executable, fabricate, "-o", root, *options], check=True, stdout=sys.stderr
        )
        costs = {}
        for step in STEPS:
            costs[step] = run_step(step, root)
            print(f"{step}: {costs[step]}", file=sys.stderr, flush=True)
        return costs


def run_step(step: str, root: str) -> Cost:
    """Run one step in a process of its own, which says what it took."""
    program = Path(__file__).with_name("scale_step.py")
    done = subprocess.run([sys.executable, program, step, root], check=True, stdout=subprocess.PIPE)
    return Cost(**json.loads(done.stdout))


if __name__ == "__main__":
    main()
