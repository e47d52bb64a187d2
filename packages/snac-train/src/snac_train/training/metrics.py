"""Means of losses over the items of many batches."""

import math
from dataclasses import dataclass, field

import torch

from snac_train.data.segments import Batch
from snac_train.distributed.processes import Processes
from snac_train.training.objective import Losses


@dataclass
class Means:
    """Sums of losses, and how many items they are of."""

    sums: dict[str, float] = field(default_factory=dict)
    count: int = 0

    def add(self, sums: dict[str, float], count: int) -> None:
        """Add the sums over ``count`` items."""
        for name, value in sums.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count += count

    def take(self) -> dict[str, float]:
        """Return the means of all that was added."""
        return {name: value / self.count for name, value in self.sums.items()}


class Sums:
    """Sums of losses ``[B]`` on the device, so that it need not wait; then over all processes."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.names: list[str] = []
        self._values: torch.Tensor | None = None
        self._items = 0

    def add(self, losses: Losses, *, counted: bool = True) -> None:
        """Add a batch's losses; a batch that is not counted only says which losses there are."""
        self.names = list(losses)
        sums = torch.stack([values.detach().double().sum() for values in losses.values()])
        if counted:
            self._values = sums if self._values is None else self._values + sums
            self._items += len(next(iter(losses.values())))

    def over(self, processes: Processes) -> tuple[dict[str, float], int]:
        """Return the sums over every process's items, and how many items those are."""
        values = self._values if self._values is not None else torch.zeros(len(self.names))
        values = values.to(self.device).double()
        items = torch.tensor([self._items], dtype=torch.float64, device=self.device)
        *sums, count = processes.total(torch.cat([values, items]))
        return dict(zip(self.names, sums, strict=True)), round(count)


def not_finite(losses: Losses, batch: Batch) -> list[str]:
    """Return the utterances of a batch whose loss is not a finite number."""
    finite = torch.stack(list(losses.values())).isfinite().all(0).tolist()
    pairs = zip(batch.utterance_ids, finite, strict=True)
    return [utterance_id for utterance_id, fine in pairs if not fine]


def all_finite(values: dict[str, float]) -> bool:
    """Say whether every value is a finite number."""
    return all(map(math.isfinite, values.values()))
