"""What of a plan is still to be done, from where a run is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snac_common.errors import Failure
from snac_train.recipe.curriculum import Epoch
from snac_train.run.tracker import Position

FIXED = ("stage", "segment_tokens", "batch_size", "steps")  # of an epoch that has begun


@dataclass(frozen=True)
class Remaining:
    """An epoch, and how many of its steps have not been taken."""

    epoch: Epoch
    steps: int


def remaining_of(
    epochs: Sequence[Epoch], position: Position, state: Mapping[str, Any] | None
) -> list[Remaining]:
    """Return what is left of ``epochs``.

    Args:
        state: of the checkpoint that the run goes on from; None for a run that begins.

    Returns:
        The epoch that the run is in, with no steps if they have been taken, as its validation may
        not have been; then those that follow.

    Raises:
        Failure: if the plan was changed so that it does not go on from there.
    """
    if state is None or position.epoch == 0:
        return [Remaining(epoch, epoch.steps) for epoch in epochs]
    then = Epoch(**state["epoch"])
    if then.number > len(epochs):
        raise Failure(
            f"the run is in epoch {then.number}, but curriculum.epochs is {len(epochs)} now: give "
            "at least as many, or go on from an earlier checkpoint"
        )
    if position.epoch_step == then.steps:
        current = Remaining(then, 0)
    else:
        now = epochs[then.number - 1]
        if position.epoch_step:
            _check_unchanged(then, now, position)
        current = Remaining(now, now.steps - position.epoch_step)
    following = [Remaining(epoch, epoch.steps) for epoch in epochs[then.number :]]
    _check_order([current, *following], position)
    return [current, *following]


def _check_unchanged(then: Epoch, now: Epoch, position: Position) -> None:
    changed = [
        f"{name.replace('_', ' ')} {getattr(then, name)} -> {getattr(now, name)}"
        for name in FIXED
        if getattr(then, name) != getattr(now, name)
    ]
    if changed:
        raise Failure(
            f"epoch {then.number} has begun ({position.epoch_step} of {then.steps} steps) and "
            f"cannot be changed now: {', '.join(changed)}. Go on as it was to the epoch's end, or "
            "from the checkpoint at the end of the epoch before (--resume CHECKPOINT). To save "
            "memory, optimizer.accumulate may be changed at any time."
        )


def _check_order(remaining: Sequence[Remaining], position: Position) -> None:
    stages = [part.epoch.stage for part in remaining]
    if stages != sorted(stages, key=("warmup", "main").index) or (
        position.stage == "main" and stages[0] == "warmup"
    ):
        raise Failure(
            f"the run is in its {position.stage} stage, after which there is no warm-up: leave "
            "curriculum.warmup_epochs as it was, or go on from an earlier checkpoint"
        )
