"""Sums and means of losses over the items of many batches."""

from dataclasses import dataclass, field

import torch

from snac_train.data.segments import Batch
from snac_train.distributed.processes import Processes
from snac_train.training.objective import Losses


@dataclass
class LossMeans:
    """Sums of losses, and how many items each is of: not every step has every loss."""

    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, sums: dict[str, float], count: int) -> None:
        """Add the sums over ``count`` items."""
        for name, value in sums.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + count

    def take(self) -> dict[str, float]:
        """Return the means of all that was added."""
        return {name: value / self.counts[name] for name, value in self.sums.items()}


class LossSums:
    """Sums of losses ``[B]`` on the device, so that nobody waits for them.

    Attributes:
        names: of the losses.
    """

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

    def values(self) -> torch.Tensor:
        """Return the sum of each loss, float64 ``[names]``."""
        zeros = torch.zeros(len(self.names), dtype=torch.float64, device=self.device)
        return zeros if self._values is None else self._values

    def over(self, processes: Processes) -> tuple[dict[str, float], int]:
        """Return the sums over every process's items, and how many items those are."""
        items = torch.tensor([self._items], dtype=torch.float64, device=self.device)
        *sums, count = processes.total(torch.cat([self.values(), items]))
        return dict(zip(self.names, sums, strict=True)), round(count)


class OnItsWay:
    """A vector that is being copied from the device, and can be read a step later."""

    def __init__(self, values: torch.Tensor) -> None:
        self._event: torch.cuda.Event | None = None
        self._copy = values
        if values.device.type == "cuda":
            self._copy = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
            self._copy.copy_(values, non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record()

    def read(self) -> list[float]:
        """Return the numbers; waits for them alone, not for what was asked of the device since."""
        if self._event is not None:
            self._event.synchronize()
        return self._copy.tolist()


class Blame:
    """Finds which utterances have a loss that is not a finite number; looked up only at the end."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._finite: list[torch.Tensor] = []

    def add(self, losses: Losses, batch: Batch) -> None:
        """Remember a batch's utterances, and on the device whether their losses are finite."""
        self._ids += batch.utterance_ids
        values = torch.stack([value.detach() for value in losses.values()])
        self._finite.append(values.isfinite().all(0))

    def everybody(self) -> list[str]:
        """Return all utterances that were added."""
        return self._ids

    def not_finite(self) -> list[str]:
        """Return those whose loss is not finite."""
        if not self._ids:
            return []
        finite = torch.cat(self._finite).tolist()
        return [name for name, fine in zip(self._ids, finite, strict=True) if not fine]
