"""Means over utterances, and paired differences to the base."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from snac_eval.decoding import resampled_name
from snac_eval.measure import Row


class Key(NamedTuple):
    """What a mean is taken over utterances of."""

    model: str
    rate: int
    metric: str


@dataclass(frozen=True)
class Mean:
    """One line of the summary.

    Attributes:
        mean: over the utterances that have a value; None where none has.
        difference: mean of value minus base's value, over the utterances that have both.
        change_percent: that difference in percent of the base's mean over the same utterances.
        utterances: how many have a value.
        missing: how many have none, by reason.
    """

    model: str
    rate: int
    metric: str
    mean: float | None
    difference: float | None
    change_percent: float | None
    utterances: int
    missing: dict[str, int]


@dataclass
class _Sums:
    value: float = 0.0
    count: int = 0
    difference: float = 0.0
    base: float = 0.0
    pairs: int = 0
    missing: Counter[str] = field(default_factory=Counter)


class Summary:
    """Adds up rows one utterance at a time.

    Args:
        base: name of the model that differences are taken to. At a rate that it has no head for,
            its resampled output stands in.
    """

    def __init__(self, base: str) -> None:
        self.base = base
        self._sums: defaultdict[Key, _Sums] = defaultdict(_Sums)

    def add(self, rows: Iterable[Row]) -> None:
        """Add all rows of one utterance."""
        values = {Key(row.model, row.rate, row.metric): row for row in rows}
        for key, row in values.items():
            sums = self._sums[key]
            if row.value is None:
                sums.missing[row.reason or "unknown"] += 1
                continue
            sums.value += row.value
            sums.count += 1
            base = values[self._base_key(key, values)].value
            if base is not None:
                sums.difference += row.value - base
                sums.base += base
                sums.pairs += 1

    def _base_key(self, key: Key, values: dict[Key, Row]) -> Key:
        own = key._replace(model=self.base)
        return own if own in values else key._replace(model=resampled_name(self.base))

    def means(self) -> Iterator[Mean]:
        """Yield the means, in the order in which their rows first came."""
        for key, sums in self._sums.items():
            yield Mean(
                *key,
                mean=_ratio(sums.value, sums.count),
                difference=_ratio(sums.difference, sums.pairs),
                change_percent=_ratio(100 * sums.difference, sums.base),
                utterances=sums.count,
                missing=dict(sums.missing),
            )


def _ratio(total: float, count: float) -> float | None:
    return total / count if count else None
