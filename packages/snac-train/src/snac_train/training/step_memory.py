"""How much memory a training step needs, before it is taken."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from snac_train.data.segments import Batch

# What a backward pass holds beside what the forward pass kept, as a share of that: with the true
# size on a CPU, steps took 0.83, 2.46 and 4.40 GB where this says 0.74, 2.50 and 4.27.
BESIDE = 0.35
MOMENTS = 3  # each trained weight's gradient, and AdamW's two moments
SHORT, LONGER = 8, 16  # coarse tokens that are measured; what is longer needs as much more
# Of the memory that is there, what is kept free for what nobody counts. The heap of a process on a
# CPU keeps what it has freed in pieces that later steps cannot use: a run whose largest steps need
# 5.2 GB by this estimate held 8.7 GB.
KEPT_FREE = {"cuda": 0.1, "cpu": 0.4}
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class StepMemory:
    """What a step needs, in bytes.

    Attributes:
        fixed: however many segments are decoded at once.
        short: for each segment of ``SHORT`` coarse tokens that is decoded at once.
        per_token: for each further one.
    """

    fixed: int
    short: int
    per_token: float

    def of(self, tokens: int, items: int) -> int:
        """Return what a step on ``items`` segments at once needs."""
        return self.fixed + items * self._item(tokens)

    def pieces(self, tokens: int, items: int, available: int) -> int | None:
        """Return the fewest pieces of a share of ``items`` that fit; None if one item does not."""
        at_once = (available - self.fixed) // self._item(tokens)
        return -(-items // min(items, at_once)) if at_once >= 1 else None

    def _item(self, tokens: int) -> int:
        return round(self.short + max(0, tokens - SHORT) * self.per_token)


def measure_step(
    forward: Callable[[Batch], object],
    parameters: Sequence[nn.Parameter],
    silence: Callable[[int], Batch],
) -> StepMemory:
    """Run short segments forward, and see what is kept for their backward pass.

    One segment and two, as weights that are computed from others are kept once for all.

    Args:
        forward: what is run, returning what is differentiated.
        parameters: those that are trained, and have no gradient yet.
        silence: returns a batch of one segment of so many coarse tokens.
    """
    one, two, longer = (
        _kept(forward, parameters, repeated(silence(tokens), items))
        for tokens, items in ((SHORT, 1), (SHORT, 2), (LONGER, 2))
    )
    item = two - one
    return StepMemory(
        fixed=MOMENTS * sum(weight.nbytes for weight in parameters) + max(0, one - item),
        short=round((1 + BESIDE) * item),
        per_token=(1 + BESIDE) * (longer - two) / 2 / (LONGER - SHORT),
    )


def larger(one: StepMemory, other: StepMemory) -> StepMemory:
    """Return what two turns need that follow each other, each with weights of its own."""
    return StepMemory(
        fixed=one.fixed + other.fixed,
        short=max(one.short, other.short),
        per_token=max(one.per_token, other.per_token),
    )


def _kept(
    forward: Callable[[Batch], object], parameters: Sequence[nn.Parameter], batch: Batch
) -> int:
    """Return the bytes that autograd keeps of a forward pass, trained weights apart."""
    kept: dict[int, int] = {}

    def remember(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    plainly = torch.compiler.set_stance("force_eager")  # not compiled for lengths that never come
    with plainly, torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
        result = forward(batch)
    weights = {value.untyped_storage().data_ptr() for value in parameters}
    assert result is not None  # which holds what was kept until here
    return sum(size for pointer, size in kept.items() if pointer not in weights)


def repeated(batch: Batch, count: int) -> Batch:
    """Return a batch of one item, ``count`` times."""
    return replace(
        batch,
        utterance_ids=batch.utterance_ids * count,
        noise_seeds=batch.noise_seeds.repeat(count),
        codes=[level.repeat(count, 1) for level in batch.codes],
        tokens=batch.tokens.repeat(count),
        offsets=batch.offsets.repeat(count),
        audio=batch.audio.repeat(count, 1),
        valid={rate: value.repeat(count) for rate, value in batch.valid.items()},
    )


def available_bytes(device: torch.device, processes: int) -> int:
    """Return the memory that one of ``processes`` on this machine may take for a step."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return round((1 - KEPT_FREE["cuda"]) * free)
    return round((1 - KEPT_FREE["cpu"]) * _free_of_machine() / processes)


def _free_of_machine() -> int:
    """Return what is free of the machine's memory, and of the container's."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    free = int(fields["MemAvailable"].split()[0]) * 1024
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):  # no control groups, or "max": no limit
        return free
    return min(free, limit - used)
