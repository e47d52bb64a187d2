"""What the decoder's context adds to a main step of phase 12 at true size, on a CPU.

    uv run python tools/bench/step_context.py ../shared/speech/nathalie

Steps with and without context in turn, in one process, so that other work on the machine slows both
alike. The fastest of each counts.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click
import torch
from long_speech import join_speech, write_cache
from step_cost import Asked
from step_ours import read_ahead

from snac_common.tool import Tool
from snac_model.codec.snac import SNAC
from snac_model.shapes.config import SNAC_24KHZ
from snac_train.data.inputs import with_heads
from snac_train.data.segments import Batch
from snac_train.distributed.processes import Processes
from snac_train.recipe.load import load_recipe
from snac_train.training.stage import Stage


@click.command(cls=Tool, example="bench/step_context.py ../shared/speech/nathalie")
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--batch", default=4, help="Segments in a batch.")
@click.option("--tokens", default=12, help="Coarse tokens of a segment.")
@click.option("--steps", default=6, help="Steps of each kind; the first is not timed.")
def main(folder: Path, batch: int, tokens: int, steps: int) -> None:
    """Time steps on segments of the speech in FOLDER and print a Markdown table."""
    with tempfile.TemporaryDirectory() as name:
        codes = Path(name) / "codes"
        write_cache(join_speech(folder, Path(name) / "audio", "flac"), codes)
        without, with_context = (
            steps_of(Asked("main", "cpu", "fp32", context, batch, tokens, steps, str(codes)))
            for context in (False, True)
        )
        times = [(next(without), next(with_context)) for _ in range(steps)][1:]
    print("| | CPU s | s |\n| --- | ---: | ---: |")
    for title, taken in zip(("without", "with"), zip(*times, strict=True), strict=True):
        processor, wall = map(min, zip(*taken, strict=True))
        print(f"| {title} context | {processor:.2f} | {wall:.2f} |")


def steps_of(asked: Asked) -> Iterator[tuple[float, float]]:
    """Take a step each time; yield its seconds of processor time, and of the clock."""
    torch.manual_seed(0)
    settings = {"data.context": str(asked.context).lower()}
    recipe = load_recipe(12, settings.items())
    processes = Processes(asked.device)
    model = with_heads(SNAC(**SNAC_24KHZ.to_dict()), recipe, "seeded")
    stage = Stage("main", 1000, model, recipe, processes)
    for batch in read_ahead(asked, recipe):
        assert isinstance(batch, Batch)
        started = time.process_time(), time.perf_counter()
        stage.step([batch], True, asked.batch).read()
        yield time.process_time() - started[0], time.perf_counter() - started[1]


if __name__ == "__main__":
    main()
