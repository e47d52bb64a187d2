"""Means of losses over the items of many batches."""

from collections import defaultdict

import torch


class Means:
    """Running means, summed on the device so that it need not wait."""

    def __init__(self) -> None:
        self._sums: dict[str, torch.Tensor] = {}
        self._counts: dict[str, int] = defaultdict(int)

    def add(self, losses: dict[str, torch.Tensor]) -> None:
        """Add the losses of a batch, each ``[B]``."""
        for name, values in losses.items():
            total = values.detach().double().sum()
            self._sums[name] = self._sums[name] + total if name in self._sums else total
            self._counts[name] += len(values)

    def take(self) -> dict[str, float]:
        """Return the means of all that was added."""
        return {name: float(total) / self._counts[name] for name, total in self._sums.items()}
