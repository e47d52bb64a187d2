"""What each epoch is: its stage, segment length, batch size and number of steps."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from snac_common.errors import BadInput
from snac_model.shapes.geometry import Geometry
from snac_train.recipe.tables import Curriculum, Schedule

StageName = Literal["warmup", "main"]


@dataclass(frozen=True)
class Epoch:
    """One epoch of the plan, numbered from 1; the segment in coarse tokens.

    ``first_step`` counts the steps of all epochs before it. A batch is no larger than there are
    utterances.
    """

    number: int
    first_step: int
    stage: StageName
    wished_s: float
    segment_tokens: int
    batch_size: int
    steps: int


def plan_epochs(
    curriculum: Curriculum,
    geometry: Geometry,
    utterances: int,
    schedule: Schedule | None = None,
    head_start: int = 0,
) -> list[Epoch]:
    """Return every epoch of a run over ``utterances`` utterances.

    Args:
        schedule: that the main stage's steps are to be fit for.
        head_start: first steps of the main stage in which the decoder stays as it is.

    Raises:
        BadInput: if the curriculum's lists do not fit together or do not cover its epochs, or the
            decoder's schedule cannot span its steps.
    """
    epochs = _epochs(curriculum, geometry, utterances)
    steps = stage_steps(epochs, "main")
    if 0 < steps <= head_start:
        raise BadInput(
            f"adversarial.head_start={head_start}: the discriminators alone would be trained in "
            f"all {steps} main steps. Give more --epochs, or a shorter head start."
        )
    if schedule is not None:
        _check_cycle(schedule, steps - head_start)
    return epochs


def _epochs(curriculum: Curriculum, geometry: Geometry, utterances: int) -> list[Epoch]:
    lengths, multipliers = _of_each_range(curriculum)
    if curriculum.warmup_epochs > curriculum.epochs:
        raise BadInput(
            f"{curriculum.warmup_epochs} warm-up epochs of {curriculum.epochs} in all: give fewer "
            "--warmup-epochs or more --epochs"
        )
    epochs: list[Epoch] = []
    first_step = 0
    for index, numbers in enumerate(parse_ranges(curriculum.epoch_ranges, curriculum.epochs)):
        wished = round(curriculum.batch_size * multipliers[index])
        batch_size = max(1, min(wished, utterances))
        steps = math.ceil(utterances / batch_size)
        for number in numbers:
            epochs.append(
                Epoch(
                    number=number,
                    first_step=first_step,
                    stage="warmup" if number <= curriculum.warmup_epochs else "main",
                    wished_s=lengths[index],
                    segment_tokens=geometry.coarse_tokens(lengths[index]),
                    batch_size=batch_size,
                    steps=steps,
                )
            )
            first_step += steps
    return epochs


def _of_each_range(curriculum: Curriculum) -> tuple[Sequence[float], Sequence[float]]:
    """Return segment length and multiplier of each range of epochs; one value holds for all."""
    ranges = len(curriculum.epoch_ranges)
    lengths, multipliers = (
        values * ranges if len(values) == 1 else values
        for values in (curriculum.segment_s, curriculum.batch_multiplier)
    )
    if not ranges == len(lengths) == len(multipliers):
        raise BadInput(
            f"--epoch-ranges has {ranges} values, --segment-schedule {len(lengths)} and "
            f"--batch-multiplier {len(multipliers)}: give each as many, or one that holds for all "
            "(in a recipe: curriculum.epoch_ranges, segment_s and batch_multiplier)"
        )
    return lengths, multipliers


def _check_cycle(schedule: Schedule, steps: int) -> None:
    """Raise BadInput if OneCycleLR would divide by the length of a part that has none.

    It rises in the first ``pct_start * steps`` steps and falls in the others, and counts either
    part from its first step to its last: a rise of one step, or a fall of none, is 0 long.
    """
    last_of_rise = schedule.pct_start * steps - 1
    if schedule.shape == "onecycle" and steps and last_of_rise in (0, steps - 1):
        raise BadInput(
            f"schedule.pct_start={schedule.pct_start:g} of {steps} main steps leaves the cycle "
            f"{'one step to rise in' if last_of_rise == 0 else 'none to fall in'}: set another "
            "share, or schedule.shape=cosine"
        )


def parse_ranges(texts: Sequence[str], epochs: int) -> list[range]:
    """Read epoch ranges such as ``1-2`` or ``7``, cut off after ``epochs``.

    Raises:
        BadInput: if they leave a gap, overlap, or end before ``epochs``.
    """
    ranges, following = [], 1
    for text in texts:
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", text)
        if match is None:
            raise BadInput(f"{text!r} is not a range of epochs; write it as 3-4")
        first, last = int(match[1]), int(match[2] or match[1])
        if first != following or last < first:
            raise BadInput(
                f"epoch range {text}: it must begin at {following} and not run backwards"
            )
        ranges.append(range(first, min(last, epochs) + 1))
        following = last + 1
    if following <= epochs:
        raise BadInput(
            f"the epoch ranges end at {following - 1} of {epochs} epochs; give curriculum."
            f"epoch_ranges (--epoch-ranges) that reach {epochs}"
        )
    return ranges


def stage_steps(epochs: Sequence[Epoch], stage: StageName) -> int:
    """Steps of a whole stage, which a schedule spans."""
    return sum(epoch.steps for epoch in epochs if epoch.stage == stage)


def describe(epochs: Sequence[Epoch], geometry: Geometry) -> list[str]:
    """Say what each run of like epochs came to."""
    return [
        _describe_alike(list(alike), geometry)
        for _, alike in groupby(epochs, key=lambda epoch: replace(epoch, number=0, first_step=0))
    ]


def _describe_alike(epochs: list[Epoch], geometry: Geometry) -> str:
    first, last = epochs[0], epochs[-1]
    numbers = f"{first.number}-{last.number}" if last is not first else f"{first.number}"
    return (
        f"epoch {numbers} ({first.stage}): segments of {first.wished_s:g} s are "
        f"{segment_in_words(first.segment_tokens, geometry)}; "
        f"batches of {first.batch_size}, {first.steps} steps an epoch"
    )


def segment_in_words(tokens: int, geometry: Geometry) -> str:
    """Say how long a segment of coarse tokens is."""
    samples = ", ".join(
        f"{geometry.sample_span(rate, 0, tokens).stop:,} samples at {rate:,} Hz"
        for rate in geometry.output_rates
    )
    return f"{tokens} coarse tokens, {geometry.seconds(tokens):.3f} s, {samples}"
