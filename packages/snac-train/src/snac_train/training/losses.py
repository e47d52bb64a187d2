"""The terms of a head's loss: each compares an output with its reference in its own way.

A new term is a class here, a line in ``TERMS``, and its settings in the recipe's ``[loss]``.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from snac_model.losses.mel import MultiScaleMelLoss
from snac_model.losses.reconstruction import MultiScaleSTFTLoss, l1_loss
from snac_train.recipe.heads import RATES
from snac_train.recipe.tables import Loss


class L1(nn.Module):
    """Mean absolute difference of the samples."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    def forward(
        self, prediction: torch.Tensor, target: torch.Tensor, valid: torch.Tensor
    ) -> torch.Tensor:
        """Compare ``[B, T]``: ``[B]``."""
        return l1_loss(prediction, target, valid)


class MultiScaleSTFT(MultiScaleSTFTLoss):
    """Distance of spectra at several window sizes."""

    def __init__(self, weight: float, fft_sizes: Sequence[int]) -> None:
        super().__init__(fft_sizes)
        self.weight = weight


class MultiScaleMel(MultiScaleMelLoss):
    """Distance of mel spectra at several window sizes."""

    def __init__(self, weight: float, rate: int, windows: Sequence[int]) -> None:
        super().__init__(rate, windows)
        self.weight = weight


def _fft_sizes(loss: Loss, head: str) -> tuple[int, ...]:
    return {"24k": loss.fft_sizes_24k, "48k": loss.fft_sizes_48k}[head]


TERMS: dict[str, Callable[[Loss, str], nn.Module]] = {
    "l1": lambda loss, head: L1(loss.l1_weight),
    "stft": lambda loss, head: MultiScaleSTFT(loss.stft_weight, _fft_sizes(loss, head)),
    "mel": lambda loss, head: MultiScaleMel(loss.mel_weight, RATES[head], loss.mel_windows),
}


class HeadLoss(nn.Module):
    """The weighted sum of a head's terms, as the recipe names them."""

    def __init__(self, loss: Loss, head: str) -> None:
        super().__init__()
        terms: dict[str, Any] = {name: TERMS[name](loss, head) for name in loss.terms}
        self.weights: dict[str, float] = {name: term.weight for name, term in terms.items()}
        self.terms = nn.ModuleDict(terms)

    def forward(
        self, prediction: torch.Tensor, target: torch.Tensor, valid: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Return ``loss`` and each term by its name, ``[B]``, of ``[B, T]`` in any precision."""
        values = self.values(prediction.float(), target.float(), valid)
        weighted = list(self.weighted(values).values())
        return {"loss": sum(weighted[1:], start=weighted[0]), **values}

    def values(
        self, prediction: torch.Tensor, target: torch.Tensor, valid: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Return each term ``[B]`` of ``[B, T]`` in float32."""
        return {name: term(prediction, target, valid) for name, term in self.terms.items()}

    def weighted(self, values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return each of the terms ``[B]`` times its weight."""
        return {name: self.weights[name] * value for name, value in values.items()}
