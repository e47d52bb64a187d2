"""The means as the report arranges them: by rate and group, a row of one line for each."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from snac_eval.models.names import REFERENCE, shown_name
from snac_eval.statistics.catalogue import GROUPS, OTHER, TOO_FEW, Kind, definition, kind, verdict
from snac_eval.statistics.changes import Percents, change, change_interval, is_unchanged, percents
from snac_eval.statistics.summary import Mean
from snac_eval.statistics.summary_file import Evaluation

DRAWN = 100.0  # half the width of a drawn interval


@dataclass(frozen=True)
class Interval:
    """A difference as it is drawn, from -100, worse, to 100, better."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class Row:
    """A metric of one model beside what it is compared with.

    Attributes:
        first: whether it is the first row of its metric.
        against: value of what it is compared with, over all utterances that have one.
        ceiling: of the reference, if that was measured.
        colour: ``better``, ``worse`` or nothing.
    """

    metric: str
    kind: Kind
    model: str
    first: bool
    mean: Mean
    against: float | None
    ceiling: float | None
    change: str
    change_interval: str
    colour: str
    interval: Interval | None


@dataclass
class Table:
    """The rows at one rate; ``groups`` are by the group's name, what says nothing is ``other``.

    Attributes:
        against: what its models are compared with.
        models: that have this rate; of several, each row must say whose it is.
    """

    rate: int
    against: str
    models: list[str]
    has_ceiling: bool
    groups: dict[str, list[Row]] = field(default_factory=dict)


def tables(evaluation: Evaluation) -> list[Table]:
    """Arrange the means, the highest rate first; a rate that no trained model has is left out."""
    found = [
        _table(evaluation, rate)
        for rate in sorted(evaluation.rates, reverse=True)
        if any(mean.key.rate == rate for mean in evaluation.means)
    ]
    return [table for table in found if any(table.groups.values())]


def metrics_of(found: list[Table]) -> dict[str, Kind]:
    """Return the metrics that tables show and that have a definition of their own."""
    rows = [row for table in found for group in table.groups.values() for row in group]
    return {row.metric: row.kind for row in rows if definition(row.metric) == row.metric}


def _table(evaluation: Evaluation, rate: int) -> Table:
    lines: dict[str, dict[str, Mean]] = {}
    for mean in evaluation.means:
        if mean.key.rate == rate:
            lines.setdefault(mean.key.metric, {})[mean.key.model] = mean
    against = next(mean.base for means in lines.values() for mean in means.values())
    names = dict.fromkeys(model for means in lines.values() for model in means)
    own = [name for name in names if name not in (against, REFERENCE)]
    table = Table(
        rate,
        shown_name(against, evaluation.base),
        [shown_name(name, evaluation.base) for name in own],
        any(REFERENCE in means for means in lines.values()),
        {name: [] for name in (*GROUPS, OTHER)},
    )
    for metric, means in lines.items():
        table.groups[_group(metric, means)] += _rows(metric, means, against, evaluation.base)
    for group in table.groups.values():
        group[:] = _with_intervals(group)
    return table


def _group(metric: str, means: dict[str, Mean]) -> str:
    """Return the group of a metric: other if it is 0 for all."""
    same = all(is_unchanged(mean) and not mean.value.mean for mean in means.values())
    return OTHER if same else kind(metric).group


def _rows(metric: str, means: dict[str, Mean], against: str, base: str) -> Iterator[Row]:
    def value_of(model: str) -> float | None:
        return means[model].value.mean if model in means else None

    models = [model for model in means if model not in (against, REFERENCE)]
    for model in models:
        mean = means[model]
        yield Row(
            metric=metric,
            kind=kind(metric),
            model=shown_name(model, base),
            first=model == models[0],
            mean=mean,
            against=value_of(against),
            ceiling=value_of(REFERENCE),
            change=change(mean),
            change_interval=change_interval(mean),
            colour=verdict(mean).replace(TOO_FEW, ""),
            interval=None,
        )


def _with_intervals(rows: list[Row]) -> Iterator[Row]:
    """Draw the intervals of a group on one scale, that of the one which reaches farthest."""
    found = [percents(row.mean) if row.kind.better else None for row in rows]
    reach = max((abs(end) for ends in found if ends for end in ends), default=0.0)
    for row, ends in zip(rows, found, strict=True):
        drawn = _scaled(ends, reach) if ends and reach else None
        yield replace(row, interval=drawn)


def _scaled(ends: Percents, reach: float) -> Interval:
    return Interval(*(round(DRAWN * end / reach, 1) for end in ends))
