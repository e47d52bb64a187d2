"""Utterances that are kept to be looked at and listened to."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from snac_cache.store import CachedUtterance
from snac_eval.decoding import Output
from snac_eval.measure import Row
from snac_eval.references import Reference

REFERENCE = "reference"


@dataclass(frozen=True)
class Signal:
    """One of the versions of an utterance.

    Attributes:
        model: who made it; the reference is one of them.
        rate: in Hz.
        audio: float32 ``[T]`` on the CPU.
        loss: against the reference; None for the reference itself, and where there is none.
    """

    model: str
    rate: int
    audio: torch.Tensor
    loss: float | None


@dataclass(frozen=True)
class Sample:
    """An utterance in all its versions: the reference at its higher rate, then the outputs."""

    utterance_id: str
    seconds: float
    signals: list[Signal]

    @classmethod
    def of(
        cls,
        utterance: CachedUtterance,
        reference: Reference,
        outputs: Sequence[Output],
        rows: Sequence[Row],
    ) -> "Sample":
        """Keep an utterance, with each output's loss."""
        losses = {(row.model, row.rate): row.value for row in rows if row.metric == "loss"}
        rate = max(reference.audio)
        signals = [Signal(REFERENCE, rate, reference.audio[rate], None)]
        signals += [
            Signal(output.model, output.rate, output.audio.cpu(), losses[output.model, output.rate])
            for output in outputs
        ]
        return cls(utterance.utterance_id, utterance.duration_s, signals)
