"""How much memory the largest step of a plan needs, for who asks before a run is started."""

from collections.abc import Sequence
from itertools import groupby

import torch

from snac_common.devices import choose_device
from snac_common.errors import Failure
from snac_train.data.inputs import Inputs
from snac_train.data.reading import Segments
from snac_train.data.segments import Batch
from snac_train.data.slices import Draws
from snac_train.recipe.curriculum import Epoch, plan_epochs
from snac_train.recipe.tables import Recipe
from snac_train.training.discriminators import make_discriminators
from snac_train.training.step_memory import StepMemory, available_bytes
from snac_train.training.trained import Trained


def check_memory(
    recipe: Recipe, inputs: Inputs, device: str, gpus: Sequence[int] | None = None
) -> str:
    """Say what the largest step needs, and in how many pieces it is taken.

    Args:
        device: as the command's.
        gpus: one process each; None for one process.

    Raises:
        Failure: if on this machine not even one segment fits.
    """
    epoch, memory = _largest(recipe, inputs)
    items = -(-epoch.batch_size // max(1, len(gpus or ())))
    needed = f"{items} segments of {epoch.wished_s:g} s need about {_size(memory, epoch, items)}"
    if gpus or choose_device(device) != "cpu":
        return f"{needed} at once; a run takes them in pieces that its GPU has room for"
    available = available_bytes(torch.device("cpu"), 1)
    pieces = recipe.optimizer.accumulate or memory.pieces(epoch.segment_tokens, items, available)
    if pieces is None:
        raise Failure(
            f"one segment of {epoch.wished_s:g} s needs about {_size(memory, epoch, 1)}, and "
            f"{available / 1e9:.1f} GB are free: give shorter ones (--segment-schedule), or more "
            "memory"
        )
    at_once = -(-items // pieces)
    taken = f", taken in {pieces} pieces of {_size(memory, epoch, at_once)}" if pieces > 1 else ""
    return f"{needed}{taken}; {available / 1e9:.1f} GB are free"


def _largest(recipe: Recipe, inputs: Inputs) -> tuple[Epoch, StepMemory]:
    """Return the epoch whose steps need most, and what steps of its stage need."""
    draws = Draws.for_epoch(recipe.data.seed, 0)
    source = inputs.source(recipe)

    def silence(tokens: int) -> Batch:
        return source.dataset(Segments("train", tokens, draws)).silence()

    found: list[tuple[Epoch, StepMemory]] = []
    plan = plan_epochs(recipe.curriculum, inputs.model.geometry, len(inputs.train))
    discriminators = make_discriminators(recipe)
    for name, epochs in groupby(plan, key=lambda epoch: epoch.stage):
        trained = Trained.of(name, inputs.model, recipe, discriminators, inputs.teacher)
        memory = trained.memory(silence)
        found += [(epoch, memory) for epoch in epochs]
    return max(found, key=lambda each: each[1].of(each[0].segment_tokens, each[0].batch_size))


def _size(memory: StepMemory, epoch: Epoch, items: int) -> str:
    return f"{memory.of(epoch.segment_tokens, items) / 1e9:.1f} GB"
