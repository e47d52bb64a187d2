"""Measuring outputs against their reference, whatever a run was trained with."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import torch

from snac_eval.metrics import perceptual, waveform
from snac_eval.metrics.frames import Frames, frames_of
from snac_eval.metrics.pairs import Measure, NoValue, Pair
from snac_eval.metrics.sharpness import sharpness, sharpness_names
from snac_eval.metrics.spectral import (
    log_spectral_distance,
    mel_distance,
    split_log_spectral_distance,
)
from snac_eval.models.decoding import Output
from snac_eval.models.references import Rates, Reference
from snac_model.losses.reconstruction import ReconstructionLoss

L1_WEIGHT = 1.0
STFT_WEIGHT = 1.0
FFT_SIZES_LOW = (1024, 2048, 4096)
FFT_SIZES_HIGH = (*FFT_SIZES_LOW, 8192)
FRECHET, TWO_SAMPLE = "frechet_mel", "two_sample"  # measures of the set
PENDING = "computed once all utterances are measured"


class Row(NamedTuple):
    """One value in ``metrics.parquet``; a value that is missing has a reason.

    ``detail`` says more of it where the reference is missing: which file, and what is wrong.
    """

    utterance_id: str
    model: str
    rate: int
    metric: str
    value: float | None
    reason: str | None
    detail: str | None = None


@dataclass
class Measured:
    """What was measured of one or more utterances; measures of the whole set are still to come."""

    rows: list[Row] = field(default_factory=list)
    frames: list[Frames] = field(default_factory=list)

    def add(self, more: "Measured") -> None:
        """Add what was measured of others."""
        self.rows += more.rows
        self.frames += more.frames


class Measures:
    """All metrics at both rates.

    Args:
        rates: of the heads.
        device: where the outputs are.
        perceptual_names: which of ``perceptual.METRICS`` to compute too.
        two_sample: whether classifiers are to tell outputs from references.
    """

    def __init__(
        self,
        rates: Rates,
        device: torch.device,
        perceptual_names: Sequence[str] = (),
        *,
        two_sample: bool = False,
    ) -> None:
        self.device = device
        self.two_sample = two_sample
        self.of_set = (FRECHET, TWO_SAMPLE) if two_sample else (FRECHET,)
        common = [*_simple(), *(perceptual.METRICS[name] for name in perceptual_names)]
        self.by_rate = {
            rates.low: [
                _losses(FFT_SIZES_LOW, device),
                Measure(("lsd",), log_spectral_distance),
                Measure(sharpness_names(rates.low), sharpness),
                *common,
            ],
            rates.high: [
                _losses(FFT_SIZES_HIGH, device),
                Measure(
                    ("lsd", "lsd_below", "lsd_above"),
                    partial(split_log_spectral_distance, split_hz=rates.low // 2),
                ),
                Measure(sharpness_names(rates.high), sharpness),
                *common,
            ],
        }

    def names(self, rate: int) -> list[str]:
        """Return the names of the metrics at a rate."""
        own = [name for measure in self.by_rate[rate] for name in measure.names]
        return [*own, *self.of_set]

    @torch.inference_mode()
    def measure(
        self, utterance_id: str, outputs: Sequence[Output], reference: Reference
    ) -> Measured:
        """Measure all outputs of an utterance."""
        measured = Measured()
        for output in outputs:
            measured.add(self._measured(utterance_id, output, reference))
        return measured

    def _measured(self, utterance_id: str, output: Output, reference: Reference) -> Measured:
        key = (utterance_id, output.model, output.rate)
        try:
            if output.rate in reference.missing:
                raise NoValue(reference.missing[output.rate])
            target = reference.audio[output.rate].to(self.device)
            pair = Pair.of(output.audio, target, output.rate)
        except NoValue as reason:
            names = self.names(output.rate)
            return Measured([Row(*key, name, None, str(reason)) for name in names])
        rows = [Row(*key, *found) for found in self._values(pair)]
        try:
            frames = [frames_of(utterance_id, output.model, pair, patches=self.two_sample)]
            why = PENDING
        except NoValue as reason:
            frames, why = [], str(reason)
        return Measured(rows + [Row(*key, name, None, why) for name in self.of_set], frames)

    def _values(self, pair: Pair) -> Iterator[tuple[str, float | None, str | None]]:
        """Yield each metric with its value, or the reason why it has none."""
        for measure in self.by_rate[pair.rate]:
            try:
                values = measure.compute(pair)
                yield from ((name, *_finite(values[name])) for name in measure.names)
            except NoValue as reason:
                yield from ((name, None, str(reason)) for name in measure.names)


def _losses(fft_sizes: tuple[int, ...], device: torch.device) -> Measure:
    """The losses of training phase 12, the whole first."""
    loss = ReconstructionLoss(fft_sizes, L1_WEIGHT, STFT_WEIGHT).to(device)

    def compute(pair: Pair) -> dict[str, float]:
        valid = torch.tensor([len(pair.reference)], device=device)
        parts = loss.parts(pair.output[None], pair.reference[None], valid)
        return {name: value.item() for name, value in parts.items()}

    return Measure(("loss", "l1", "stft", *(f"stft_{size}" for size in fft_sizes)), compute)


def _simple() -> list[Measure]:
    """The metrics of one number each."""
    functions: dict[str, Callable[[Pair], float]] = {
        "mel": mel_distance,
        "si_sdr": waveform.si_sdr,
        "level_db": waveform.level_difference,
        "clipping": waveform.clipping,
        "length_difference": waveform.length_difference,
    }
    return [Measure((name,), partial(_one, name, compute)) for name, compute in functions.items()]


def _one(name: str, compute: Callable[[Pair], float], pair: Pair) -> dict[str, float]:
    return {name: compute(pair)}


def _finite(value: float | str) -> tuple[float | None, str | None]:
    """Return a value and the reason why it is missing, one of them None."""
    if isinstance(value, str):
        return None, value
    return (value, None) if math.isfinite(value) else (None, "the result is not finite")
