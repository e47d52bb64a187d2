"""``summary.json``: what was measured, how, and the means; written, and read again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snac_common.addresses import local, with_addresses
from snac_common.errors import Failure
from snac_common.files import write_text
from snac_eval.measuring.measure import FFT_SIZES_HIGH, FFT_SIZES_LOW, L1_WEIGHT, STFT_WEIGHT
from snac_eval.models.evaluated import ModelSource
from snac_eval.models.names import rate_name
from snac_eval.models.references import Rates
from snac_eval.statistics.bootstrap import CONFIDENCE, RESAMPLES
from snac_eval.statistics.summary import Mean


@dataclass(frozen=True)
class MeasuredModel:
    """A model that was measured.

    Attributes:
        source: where it was found.
        weights_sha256: which weights it had.
        own_codes: whether it decoded codes that it made itself, not the cached ones.
    """

    source: ModelSource
    weights_sha256: str
    own_codes: bool

    @property
    def name(self) -> str:
        """How tables and the report call it."""
        return self.source.name


@dataclass(frozen=True)
class Evaluation:
    """All that is known once every utterance was measured.

    Attributes:
        models: the base first.
        codes_model: what the codes were made with.
        tokenizer_sha256: of its encoder and quantizer.
        codes: their folder.
        manifest: what is known of the utterances.
        rates: of the heads.
        split: of the utterances.
        utterances: how many were measured.
        seconds: how long they are in all.
        seed: of the decoder's noise and the resamples.
        segment_s: seconds of each utterance that were measured; None for all.
        group_by: which utterances are drawn together for the intervals; None for each alone.
        rejects: how many have no reference, by reason.
        means: over the utterances.
    """

    models: Sequence[MeasuredModel]
    codes_model: str
    tokenizer_sha256: str
    codes: Path
    manifest: Path
    rates: Rates
    split: str
    utterances: int
    seconds: float
    seed: int
    segment_s: float | None
    group_by: str | None
    rejects: dict[str, int]
    means: Sequence[Mean]

    @property
    def base(self) -> str:
        """Name of the model that the others are compared with."""
        return self.models[0].name


def write_summary(evaluation: Evaluation, path: Path) -> None:
    """Write ``summary.json``."""
    content = {
        "models": [_describe(model) for model in evaluation.models],
        "base": evaluation.base,
        "codes": {
            "folder": str(evaluation.codes),
            "manifest": str(evaluation.manifest),
            "split": evaluation.split,
            "model": evaluation.codes_model,
            "tokenizer_sha256": evaluation.tokenizer_sha256,
        },
        "rates": list(evaluation.rates),
        "utterances": evaluation.utterances,
        "rejects": evaluation.rejects,
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
        "group_by": evaluation.group_by,
        "resamples": RESAMPLES,
        "confidence": CONFIDENCE,
        "means": [mean.as_mean() for mean in evaluation.means],
        "differences": [mean.as_difference() for mean in evaluation.means],
    }
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, indent=2)
    write_text(path, with_addresses(text) + "\n")


def read_summary(path: Path) -> Evaluation:
    """Read what was measured, and how; without the means, which are computed from the metrics.

    Raises:
        Failure: if there is no such file, or it is not what ``write_summary`` writes.
    """
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return _evaluation(said)
    except OSError as error:
        raise Failure(f"cannot read {path}: {error.strerror}. Run snac-eval first.") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Failure(f"{path} is damaged ({error!r}). Run snac-eval again.") from error


def _evaluation(said: dict[str, Any]) -> Evaluation:
    codes = said["codes"]
    return Evaluation(
        models=[_model(model) for model in said["models"]],
        codes_model=str(codes["model"]),
        tokenizer_sha256=str(codes["tokenizer_sha256"]),
        codes=local(codes["folder"]),
        manifest=local(codes["manifest"]),
        rates=Rates(*map(int, said["rates"])),
        split=str(codes["split"]),
        utterances=int(said["utterances"]),
        seconds=float(said["seconds"]),
        seed=int(said["seed"]),
        segment_s=None if said["segment_s"] is None else float(said["segment_s"]),
        group_by=said["group_by"],
        rejects={},
        means=[],
    )


def mean_losses(evaluation: Evaluation) -> dict[str, dict[str, float | None]]:
    """Return each model's mean losses, named as in a run's metrics: ``48k/loss``."""
    losses: dict[str, dict[str, float | None]] = {}
    for mean in evaluation.means:
        if mean.key.metric == "loss":
            name = f"{rate_name(mean.key.rate)}/loss"
            losses.setdefault(mean.key.model, {})[name] = mean.value.mean
    return losses


def _describe(model: MeasuredModel) -> dict[str, Any]:
    source = model.source
    return {
        "name": source.name,
        "where": source.where,
        "run": str(source.run) if source.run else None,
        "weights_sha256": model.weights_sha256,
        "codes": "own" if model.own_codes else "cached",
    }


def _model(said: dict[str, Any]) -> MeasuredModel:
    run = local(said["run"]) if said["run"] else None
    source = ModelSource(str(said["name"]), str(said["where"]), run)
    return MeasuredModel(source, str(said["weights_sha256"]), said["codes"] == "own")
