"""What a metric is given: an output beside what it should have been."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from snac_model.audio.reading import resample

SILENCE_RMS = 1e-6  # -120 dBFS, below what 16 and 24 bits and dither leave of any recording


class NoValue(Exception):
    """A metric has no value here; the message is the reason."""


@dataclass(frozen=True)
class Pair:
    """An output and its reference over the samples that both have.

    Attributes:
        output: float32 ``[T]``.
        reference: float32 ``[T]``.
        rate: of both, in Hz.
        length_difference: samples that the output has more than the reference.
    """

    output: torch.Tensor
    reference: torch.Tensor
    rate: int
    length_difference: int

    @classmethod
    def of(cls, output: torch.Tensor, reference: torch.Tensor, rate: int) -> "Pair":
        """Pair two signals; raises NoValue if they cannot be compared at all."""
        if not output.isfinite().all():
            raise NoValue("the output is not finite")
        common = min(len(output), len(reference))
        if not common:
            raise NoValue("the output is empty")
        return cls(output[:common], reference[:common], rate, len(output) - len(reference))

    def at(self, rate: int) -> "Pair":
        """Return the pair resampled."""
        return Pair(
            resample(self.output, self.rate, rate),
            resample(self.reference, self.rate, rate),
            rate,
            self.length_difference,
        )

    def require_sound(self) -> None:
        """Raise NoValue where one of the two is silent."""
        if rms(self.reference) < SILENCE_RMS:
            raise NoValue("the reference is silent")
        if rms(self.output) < SILENCE_RMS:
            raise NoValue("the output is silent")


@dataclass(frozen=True)
class Measure:
    """Metrics that are computed together: those of ``names``, or NoValue for all of them.

    A single one that has no value has the reason in its place, as text.
    """

    names: tuple[str, ...]
    compute: Callable[[Pair], Mapping[str, float | str]]


def rms(audio: torch.Tensor) -> float:
    """Root mean square of ``[T]``."""
    return audio.double().square().mean().sqrt().item()
