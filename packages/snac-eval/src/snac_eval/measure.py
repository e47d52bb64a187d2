"""Measuring one output against the reference: the training loss and its parts."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from snac_eval.decoding import Output
from snac_eval.references import Rates, Reference
from snac_model.losses import ReconstructionLoss

L1_WEIGHT = 1.0
STFT_WEIGHT = 1.0
FFT_SIZES_LOW = (1024, 2048, 4096)
FFT_SIZES_HIGH = (*FFT_SIZES_LOW, 8192)


class Row(NamedTuple):
    """One value in ``metrics.parquet``; a value that is missing has a reason."""

    utterance_id: str
    model: str
    rate: int
    metric: str
    value: float | None
    reason: str | None


class Losses:
    """The losses of training phase 12, whatever a run was trained with, so that runs compare."""

    def __init__(self, rates: Rates, device: torch.device) -> None:
        sizes = {rates.low: FFT_SIZES_LOW, rates.high: FFT_SIZES_HIGH}
        self.names = {rate: metric_names(sizes[rate]) for rate in sizes}
        self.device = device
        self._losses = {
            rate: ReconstructionLoss(sizes[rate], L1_WEIGHT, STFT_WEIGHT).to(device)
            for rate in sizes
        }

    def rows(self, utterance_id: str, outputs: Sequence[Output], reference: Reference) -> list[Row]:
        """Measure all outputs of an utterance."""
        return [row for output in outputs for row in self._rows(utterance_id, output, reference)]

    def _rows(self, utterance_id: str, output: Output, reference: Reference) -> list[Row]:
        if output.rate in reference.missing:
            reason = reference.missing[output.rate]
            return [
                Row(utterance_id, output.model, output.rate, metric, None, reason)
                for metric in self.names[output.rate]
            ]
        values = self._measure(output, reference.audio[output.rate])
        return [
            Row(utterance_id, output.model, output.rate, metric, *_finite(values[metric]))
            for metric in self.names[output.rate]
        ]

    @torch.inference_mode()
    def _measure(self, output: Output, reference: torch.Tensor) -> dict[str, float]:
        target = reference.to(self.device)[None]
        prediction = output.audio[None, : target.shape[-1]]
        valid = torch.tensor([target.shape[-1]], device=self.device)
        parts = self._losses[output.rate].parts(prediction, target, valid)
        return {name: value.item() for name, value in parts.items()}


def metric_names(fft_sizes: tuple[int, ...]) -> list[str]:
    """Names of the metrics, the whole first."""
    return ["loss", "l1", "stft", *(f"stft_{size}" for size in fft_sizes)]


def _finite(value: float) -> tuple[float | None, str | None]:
    """Return a value and the reason why it is missing, one of them None."""
    return (value, None) if math.isfinite(value) else (None, "the result is not finite")
