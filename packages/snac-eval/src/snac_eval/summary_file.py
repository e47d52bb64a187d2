"""Writing ``summary.json``: what was judged, how, and the means."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snac_cache.store.identity import CacheIdentity
from snac_common.files import write_text
from snac_eval.bootstrap import CONFIDENCE, RESAMPLES
from snac_eval.measure import FFT_SIZES_HIGH, FFT_SIZES_LOW, L1_WEIGHT, STFT_WEIGHT
from snac_eval.models import LoadedModel
from snac_eval.names import rate_name
from snac_eval.references import Rates
from snac_eval.summary import Mean


@dataclass(frozen=True)
class Evaluation:
    """All that is known once every utterance was judged.

    Attributes:
        subjects: the models, the base first.
        identity: what the codes were made with.
        codes: their folder.
        manifest: what is known of the utterances.
        rates: of the heads.
        split: of the utterances.
        utterances: how many were judged.
        seconds: how long they are in all.
        seed: of the decoder's noise.
        segment_s: seconds of each utterance that were judged; None for all.
        means: over the utterances.
    """

    subjects: Sequence[LoadedModel]
    identity: CacheIdentity
    codes: Path
    manifest: Path
    rates: Rates
    split: str
    utterances: int
    seconds: float
    seed: int
    segment_s: float | None
    means: Sequence[Mean]

    @property
    def base(self) -> str:
        """Name of the model that the others are compared with."""
        return self.subjects[0].name


def write_summary(evaluation: Evaluation, path: Path) -> None:
    """Write ``summary.json``."""
    content = {
        "models": [_describe(subject) for subject in evaluation.subjects],
        "base": evaluation.base,
        "codes": {
            "folder": str(evaluation.codes),
            "manifest": str(evaluation.manifest),
            "split": evaluation.split,
            "model": evaluation.identity.model,
            "tokenizer_sha256": evaluation.identity.tokenizer_sha256,
        },
        "utterances": evaluation.utterances,
        "seconds": evaluation.seconds,
        "segment_s": evaluation.segment_s,
        "seed": evaluation.seed,
        "loss": {
            "l1_weight": L1_WEIGHT,
            "stft_weight": STFT_WEIGHT,
            "fft_sizes": {
                rate_name(evaluation.rates.low): FFT_SIZES_LOW,
                rate_name(evaluation.rates.high): FFT_SIZES_HIGH,
            },
        },
        "resamples": RESAMPLES,
        "confidence": CONFIDENCE,
        "means": [mean.as_mean() for mean in evaluation.means],
        "differences": [mean.as_difference() for mean in evaluation.means],
    }
    write_text(path, json.dumps(content, ensure_ascii=False, allow_nan=False, indent=2) + "\n")


def mean_losses(evaluation: Evaluation) -> dict[str, dict[str, float | None]]:
    """Return each model's mean losses, named as in a run's metrics: ``48k/loss``."""
    losses: dict[str, dict[str, float | None]] = {}
    for mean in evaluation.means:
        if mean.key.metric == "loss":
            name = f"{rate_name(mean.key.rate)}/loss"
            losses.setdefault(mean.key.model, {})[name] = mean.value.mean
    return losses


def _describe(subject: LoadedModel) -> dict[str, Any]:
    place = subject.place
    return {
        "name": place.name,
        "where": place.where,
        "run": str(place.run) if place.run else None,
        "weights_sha256": subject.weights_sha256,
    }
