"""Runs side by side: scores, differences of their recipes, and what cannot be compared."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from snac_eval.comparison.comparability import conditions_of, differences, disagreement, unknown
from snac_eval.comparison.evaluations import PREFIX
from snac_eval.comparison.paired import Difference, paired_differences
from snac_eval.comparison.run import Run, better, group


@dataclass(frozen=True)
class Row:
    """One metric of one run; what was not measured, or does not compare, is None.

    Attributes:
        start: of the starting model.
        resampled: of its 24 kHz output, resampled, where it has no 48 kHz head.
        over_start: by how many percent the best value is better than what there is without
            training: ``resampled`` where that was measured, else ``start``.
        over_first: the same over the first run's best value.
        low: of what snac-eval measured, the lower end of the 95 % interval of the difference from
            the first run, on the same utterances; ``high`` is the upper end.
        group: what the metric says of: ``validation``, ``fidelity``, ``realism`` or ``other``.
    """

    metric: str
    run: str
    start: float | None
    resampled: float | None
    best: float | None
    best_step: int | None
    best_epoch: int | None
    last: float | None
    last_step: int | None
    last_epoch: int | None
    over_start: float | None
    over_first: float | None
    low: float | None
    high: float | None
    group: str


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes:
        runs: the first is the one that the others are compared with.
        metrics: all that any of them was validated on.
        incomparable: by run and metric, why its number is not of the same thing as the first's.
        warnings: what to know before believing the numbers.
        differences: by run and metric, of what snac-eval measured, from the first run.
    """

    runs: Sequence[Run]
    metrics: list[str]
    incomparable: dict[tuple[str, str], list[str]]
    warnings: list[str]
    differences: dict[tuple[str, str], Difference]

    def rows(self) -> Iterator[Row]:
        """Yield a row a metric and run."""
        for metric in self.metrics:
            yield from (self._row(metric, run) for run in self.runs)

    def has_resampled(self) -> bool:
        """Say whether any run has measured its starting model's output resampled."""
        every = (scores for run in self.runs for scores in run.scores.values())
        return any(scores.resampled is not None for scores in every)

    def _row(self, metric: str, run: Run) -> Row:
        scores, first = run.get(metric), self.runs[0].get(metric).best
        best, last = scores.best, scores.last
        compares = run is not self.runs[0] and (run.name, metric) not in self.incomparable
        value = best.value if best else None
        difference = self.differences.get((run.name, metric))
        return Row(
            metric=metric,
            run=run.name,
            start=scores.start,
            resampled=scores.resampled,
            best=value,
            best_step=best.step if best else None,
            best_epoch=best.epoch if best else None,
            last=last.value if last else None,
            last_step=last.step if last else None,
            last_epoch=last.epoch if last else None,
            over_start=improvement(metric, run.to_beat(metric), value),
            over_first=improvement(metric, first.value, value) if first and compares else None,
            low=difference.low if difference else None,
            high=difference.high if difference else None,
            group=group(metric),
        )


def compare(runs: Sequence[Run]) -> Comparison:
    """Put runs side by side, the first being what the others are compared with."""
    metrics = list(dict.fromkeys(metric for run in runs for metric in run.scores))
    incomparable: dict[tuple[str, str], list[str]] = {}
    warnings = [
        f"{run.name} has not been validated yet"
        for run in runs
        if all(scores.last is None for scores in run.scores.values())
    ]
    warnings += [warning for run in runs for warning in _worse_than_no_training(run)]
    for run in runs[1:]:
        reasons = _reasons(runs[0], run)
        incomparable |= {(run.name, metric): why for metric, why in reasons.items()}
        warnings += _warnings(runs[0], run, reasons)
    return Comparison(runs, metrics, incomparable, warnings, _differences(runs, incomparable))


def _differences(
    runs: Sequence[Run], incomparable: Container[tuple[str, str]]
) -> dict[tuple[str, str], Difference]:
    first = runs[0].source.evaluation
    return {
        (run.name, metric): difference
        for run in runs[1:]
        if first and run.source.evaluation
        for metric, difference in paired_differences(first, run.source.evaluation).items()
        if (run.name, metric) not in incomparable
    }


def _worse_than_no_training(run: Run) -> Iterator[str]:
    """Say of each loss that its best value is above what there is without training."""
    for metric in (name for name in run.scores if _is_loss(name)):
        best, beaten = run.get(metric).best, run.to_beat(metric)
        if best is not None and beaten is not None and best.value > beaten:
            resampled = run.get(metric).resampled is not None
            start = "starting model's 24 kHz output resampled" if resampled else "starting model"
            yield (
                f"{run.name} is worse than no training: its best {metric} is "
                f"{100 * (best.value / beaten - 1):.1f} % higher than that of its {start}"
            )


def _is_loss(metric: str) -> bool:
    return metric.endswith("loss") and not metric.startswith(PREFIX)


def improvement(metric: str, before: float | None, after: float | None) -> float | None:
    """Return by how many percent a metric is better after than before.

    None where that is unknown, and of a metric of which neither more nor less is better.
    """
    if before is None or after is None or before == 0 or not better(metric):
        return None
    return better(metric) * 100 * (after - before) / abs(before)


def _reasons(first: Run, run: Run) -> dict[str, list[str]]:
    """Say of each metric that both have, but not of the same thing, in what that differs."""
    shared = [metric for metric in run.scores if metric in first.scores]
    reasons = {
        metric: differences(conditions_of(first, metric), conditions_of(run, metric))
        for metric in shared
    }
    alike = [metric for metric in shared if not reasons[metric]]
    if audio := disagreement(first, run, alike):
        reasons |= {metric: [audio] for metric in alike}
    return {metric: why for metric, why in reasons.items() if why}


def _warnings(first: Run, run: Run, reasons: dict[str, list[str]]) -> Iterator[str]:
    by_reason: dict[str, list[str]] = {}
    for metric, why in reasons.items():
        by_reason.setdefault(", ".join(why), []).append(metric)
    for reason, metrics in by_reason.items():
        yield (
            f"{run.name} was not validated on what {first.name} was: {reason}. "
            f"Not compared: {', '.join(metrics)}"
        )
    bases = [state.get("base_sha256") for state in (first.source.state, run.source.state)]
    if None not in bases and bases[0] != bases[1]:
        yield (
            f"{run.name} and {first.name} start from different models: "
            "improvements over the starting models are not over the same thing"
        )
    if missing := unknown(conditions_of(first, ""), conditions_of(run, "")):
        yield (
            f"whether {run.name} was validated on what {first.name} was is not known for certain: "
            f"one of them does not say its {', '.join(missing)}"
        )
