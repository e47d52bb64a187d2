"""What snac-eval measured of the runs that are compared: fidelity and realism, with intervals."""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from snac_common.addresses import local
from snac_common.artifacts import Artifacts
from snac_common.console import note
from snac_common.errors import Failure
from snac_model.files.safetensors_files import stored_sha256

PREFIX = "eval/"
VALUES = ["utterance_id", "rate", "metric", "value"]


@dataclass(frozen=True)
class Evaluated:
    """A run's best model in an evaluation.

    Attributes:
        folder: of the evaluation.
        model: the run's name there.
        means: of all models: by model, and then by metric as ``eval/48k/frechet_mel``.
        base: name of the starting model's rows; ``resampled`` of those of its output resampled.
        conditions: what a number depends on besides the model.
        by_utterance: whether every utterance was drawn alone for the intervals.
    """

    folder: Path
    model: str
    means: dict[str, dict[str, float]]
    base: str
    resampled: str
    conditions: dict[str, Any]
    by_utterance: bool

    def values(self) -> dict[tuple[str, str], float]:
        """Return what was measured of the run, by metric and utterance."""
        return {
            (metric_name(row["rate"], row["metric"]), row["utterance_id"]): row["value"]
            for row in _rows(self.folder, self.model)
            if row["value"] is not None
        }


def metric_name(rate: int, metric: str) -> str:
    """Return how a comparison calls a metric of an evaluation: ``eval/48k/frechet_mel``."""
    return f"{PREFIX}{rate / 1000:g}k/{metric}"


def find_evaluation(run: Path, artifacts: Artifacts) -> Evaluated | None:
    """Find the newest evaluation in the artifacts that measured a run's best model as it is now.

    One of an earlier best model, which the run has replaced since, is left out with a note.

    Raises:
        Failure: if it is damaged.
    """
    summaries = artifacts.root.glob("eval/*/summary.json")
    for summary in sorted(summaries, key=lambda path: path.stat().st_mtime_ns, reverse=True):
        try:
            said = json.loads(summary.read_text(encoding="utf-8"))
            for model in said["models"][1:]:
                if not _is_best_of(model, run):
                    continue
                now = stored_sha256(run / "best" / "model.safetensors")
                if now in (None, model["weights_sha256"]):
                    return _evaluated(summary.parent, said, model["name"])
                note(
                    f"{summary.parent} measured an earlier best model of {run.name}, so it is left "
                    f"out: run snac-eval {run.name} again"
                )
        except (ValueError, LookupError, TypeError, OSError) as error:
            raise Failure(f"{summary} is damaged ({error!r}). Run snac-eval again.") from error
    return None


def _is_best_of(model: dict[str, Any], run: Path) -> bool:
    return bool(model["run"]) and local(model["where"]).resolve() == (run / "best").resolve()


def _evaluated(folder: Path, said: dict[str, Any], model: str) -> Evaluated:
    means: dict[str, dict[str, float]] = {}
    for mean in said["means"]:
        if mean["mean"] is not None and math.isfinite(mean["mean"]):
            name = metric_name(mean["rate"], mean["metric"])
            means.setdefault(mean["model"], {})[name] = mean["mean"]
    ids = "\n".join(sorted({row["utterance_id"] for row in _rows(folder, model)}))
    conditions = {
        "codes' tokenizer in the evaluation": said["codes"]["tokenizer_sha256"],
        "evaluated seconds": said["segment_s"] or "all",
        "evaluated utterances": hashlib.sha256(ids.encode()).hexdigest(),
        "seed of the evaluation": said["seed"],
    }
    base = said["base"]
    return Evaluated(
        folder, model, means, base, f"{base} resampled", conditions, said["group_by"] is None
    )


def _rows(folder: Path, model: str) -> Iterator[dict[str, Any]]:
    path = folder / "metrics.parquet"
    try:
        table = pq.read_table(path, columns=VALUES, filters=[("model", "=", model)])
    except (OSError, pa.ArrowException) as error:
        raise Failure(f"{path} is damaged: {error}. Run snac-eval again.") from error
    for batch in table.to_batches():
        yield from batch.to_pylist()
