"""A training step of the true-size phase 12 model: snac-train's against a plain loop's.

    uv run python tools/bench/step.py ../shared/speech/nathalie [--device cuda]

Each row is a process of its own and its fastest step. Without context both decode segments of the
same length; the recipe decodes each one with the decoder's context beside it, which is more work
and a row of its own.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import click
from long_speech import join_speech, write_cache
from step_cost import Asked, StepCost

from snac_common.tool import Tool
from snac_model.shapes.config import SNAC_24KHZ
from snac_model.shapes.geometry import Geometry


@click.command(cls=Tool, example="bench/step.py ../shared/speech/nathalie --device cuda --batch 96")
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu")
@click.option("--batch", default=4, help="Segments in a batch.")
@click.option("--seconds", default=1.0, help="Length of a segment.")
@click.option("--steps", default=5, help="Timed steps, of which the fastest counts.")
def main(folder: Path, device: str, batch: int, seconds: float, steps: int) -> None:
    """Time steps on segments of the speech in FOLDER and print a Markdown table."""
    tokens = Geometry.of(SNAC_24KHZ).coarse_tokens(seconds)
    print(f"A step on {batch} segments of {seconds:g} s, {device}:\n")
    print("| | s | CPU s | peak GiB | times faster | waiting for data |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as name:
        codes = Path(name) / "codes"
        write_cache(join_speech(folder, Path(name) / "audio", "flac"), codes)
        asked = Asked("warmup", device, "fp32", False, batch, tokens, steps, str(codes))
        compare(asked)
        main_stage = replace(asked, stage="main")
        plain = compare(main_stage)
        refined = replace(main_stage, stage="refine", context=True, steps=min(steps, 2))
        print_row("refine, snac-train, fp32, with context", run("step_ours.py", refined), plain)
    print()


def compare(asked: Asked) -> StepCost:
    """Print the rows of one stage; return the plain loop's cost."""
    plain = run("step_plain.py", asked)
    print_row(f"{asked.stage}, plain loop, fp32", plain, plain)
    for precision in ("fp32", "bf16") if asked.device == "cuda" else ("fp32",):
        ours = replace(asked, precision=precision)
        print_row(f"{asked.stage}, snac-train, {precision}", run("step_ours.py", ours), plain)
    title = f"{asked.stage}, snac-train, {precision}, with context"
    print_row(title, run("step_ours.py", replace(ours, context=True)), plain)
    return plain


def run(program: str, asked: Asked) -> StepCost:
    """Run one loop in a process of its own, which says what a step took."""
    path = str(Path(__file__).with_name(program))
    command = [sys.executable, path, json.dumps(asdict(asked))]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return StepCost(**json.loads(done.stdout.splitlines()[-1]))


def print_row(title: str, cost: StepCost, plain: StepCost) -> None:
    """Print a row of the table."""
    waiting = "" if cost.waiting is None else f"{cost.waiting:.1%}"
    print(
        f"| {title} | {cost.seconds:.3f} | {cost.cpu_seconds:.3f} | {cost.gibibytes:.2f} "
        f"| {plain.seconds / cost.seconds:.2f} | {waiting} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
