"""What is kept of a run: the scores of every validation metric, and curves of its losses."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from snac_eval.comparison.evaluations import PREFIX, Evaluated
from snac_eval.comparison.trace import Trace

Entry = Mapping[str, Any]

POSITION = {"step", "epoch", "samples_seen", "segment_s", "batch_size"}
RESAMPLED = "resampled/"
VALIDATION = "validation"
HIGHER_IS_BETTER = ("/used", "/perplexity")


class Point(NamedTuple):
    """A value, and after which step and epoch it was measured, where that is known."""

    value: float
    step: int | None
    epoch: int | None


@dataclass
class Scores:
    """One validation metric in one run; what was not measured is None.

    Attributes:
        start: of the starting model.
        resampled: of its 24 kHz output, resampled: what a new 48 kHz head must beat.
    """

    start: float | None = None
    resampled: float | None = None
    best: Point | None = None
    last: Point | None = None


@dataclass(frozen=True)
class Source:
    """A run before its metrics are read.

    Attributes:
        name: how tables call it.
        where: the folder or W&B run that it is.
        recipe: its tables; None where it is not known.
        state: what ``run.json`` says; empty where there is none.
        entries: the lines of its metrics, which can be gone through once.
        evaluation: what snac-eval measured of its best model; None where it did not.
    """

    name: str
    where: str
    recipe: dict[str, dict[str, Any]] | None
    state: dict[str, Any]
    entries: Iterable[Entry]
    evaluation: Evaluated | None = None


@dataclass(frozen=True)
class Run:
    """A run's scores by metric; curves of its losses by kind (``train``, ``val``) and metric."""

    source: Source
    scores: dict[str, Scores] = field(default_factory=dict)
    curves: dict[tuple[str, str], Trace] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How tables call it."""
        return self.source.name

    def get(self, metric: str) -> Scores:
        """Return the scores of a metric, all None where it was not measured."""
        return self.scores.get(metric, Scores())

    def to_beat(self, metric: str) -> float | None:
        """Return what there is without training; None where it was not measured.

        It is the starting model's value; for a new 48 kHz head that of its 24 kHz output resampled,
        and in ``loss``, the weighted sum of both heads, that in place of the new head's.
        """
        scores = self.get(metric)
        name, at, length = metric.partition("@")
        new = self.get(f"48k/loss{at}{length}")
        if name != "loss" or new.resampled is None:
            return scores.start if scores.resampled is None else scores.resampled
        weight = (self.source.recipe or {}).get("loss", {}).get("weight_48k")
        if weight is None or scores.start is None or new.start is None:
            return None
        return scores.start + weight * (new.resampled - new.start)


def read_run(source: Source) -> Run:
    """Go through a run's metrics once; memory does not grow with their number."""
    run = Run(source)
    for entry in source.entries:
        kind = entry.get("kind", "train")
        if kind in ("train", "val"):
            _add_to_curves(run, kind, entry)
        for name, value in _metrics(entry) if kind != "train" else ():
            if kind == "val":
                _add_point(run, name, value, entry)
            elif kind == "baseline":
                _add_start(run, name, value)
            elif kind == "length" and name.endswith("/loss"):
                _add_at_length(run, f"{name}@{entry['segment_s']:.3g}s", value, entry)
    if source.evaluation:
        _add_evaluation(run, source.evaluation)
    return run


def better(metric: str) -> int:
    """Return -1 if lower is better, as of losses, 1 if higher, and 0 where neither is."""
    if metric.startswith(PREFIX):
        from snac_eval.statistics.catalogue import kind

        return kind(metric.rpartition("/")[2]).better
    return 1 if metric.endswith(HIGHER_IS_BETTER) else -1


def group(metric: str) -> str:
    """Return what a metric says of: ``validation``, or as the report has it ``realism``."""
    if metric.startswith(PREFIX):
        from snac_eval.statistics.catalogue import kind

        return kind(metric.rpartition("/")[2]).group
    return VALIDATION


def _metrics(entry: Entry) -> Iterator[tuple[str, float]]:
    for name, value in entry.items():
        if name not in POSITION and _is_finite(value):
            yield name, value


def _add_to_curves(run: Run, kind: str, entry: Entry) -> None:
    samples = entry.get("samples_seen")
    samples = entry["step"] if samples is None else samples
    for name in entry:
        if name.endswith("loss") and _is_finite(entry[name]):
            run.curves.setdefault((kind, name), Trace()).add(samples, entry[name])


def _add_point(run: Run, metric: str, value: float, entry: Entry) -> None:
    scores = run.scores.setdefault(metric, Scores())
    scores.last = Point(value, entry["step"], entry.get("epoch"))
    sign = better(metric)
    if scores.best is None or sign * value > sign * scores.best.value:
        scores.best = scores.last


def _add_start(run: Run, metric: str, value: float) -> None:
    if metric.startswith(RESAMPLED):
        run.scores.setdefault(metric.removeprefix(RESAMPLED), Scores()).resampled = value
    else:
        run.scores.setdefault(metric, Scores()).start = value


def _add_at_length(run: Run, metric: str, value: float, entry: Entry) -> None:
    """Take what is measured with other segment lengths before training, and at its end."""
    if entry["step"] == 0:
        _add_start(run, metric, value)
    else:
        _add_point(run, metric, value, entry)


def _add_evaluation(run: Run, evaluation: Evaluated) -> None:
    """Take what was measured of the best model; it is the last there is, too."""
    starts, resampled = (
        evaluation.means.get(name, {}) for name in (evaluation.base, evaluation.resampled)
    )
    for metric, value in evaluation.means[evaluation.model].items():
        point = Point(value, None, None)
        run.scores[metric] = Scores(starts.get(metric), resampled.get(metric), point, point)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
