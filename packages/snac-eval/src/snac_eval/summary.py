"""Means over utterances and paired differences to the base, with their intervals."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from snac_eval.bootstrap import Estimate, RunningMean, resample_weights
from snac_eval.decoding import resampled_name, utterance_seed
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
        value: over the utterances that have a value.
        difference: of value minus base's value, over the utterances that have both.
        change_percent: that difference in percent of the base's mean over the same utterances.
        base: name of the rows that the difference is to.
        missing: how many utterances have no value, by reason.
    """

    key: Key
    value: Estimate
    difference: Estimate
    change_percent: float | None
    base: str
    missing: dict[str, int]

    @property
    def n_null(self) -> int:
        """How many utterances have no value."""
        return sum(self.missing.values())

    def as_mean(self) -> dict[str, Any]:
        """Return what ``summary.json`` says of the value."""
        counts = {"n_null": self.n_null, "missing": self.missing}
        return {**self.key._asdict(), **vars(self.value), **counts}

    def as_difference(self) -> dict[str, Any]:
        """Return what ``summary.json`` says of the difference."""
        change = {"change_percent": self.change_percent, "base": self.base}
        return {**self.key._asdict(), **vars(self.difference), **change}


@dataclass
class _Sums:
    base_name: str
    value: RunningMean = field(default_factory=RunningMean)
    difference: RunningMean = field(default_factory=RunningMean)
    base: float = 0.0
    missing: Counter[str] = field(default_factory=Counter)


class Summary:
    """Adds up rows one utterance at a time.

    Args:
        base: name of the model that differences are taken to. At a rate that it has no head for,
            its resampled output stands in.
        seed: decides the resamples, together with the utterances' ids.
    """

    def __init__(self, base: str, seed: int) -> None:
        self.base = base
        self.seed = seed
        self._sums: dict[Key, _Sums] = {}

    def add(self, rows: Iterable[Row]) -> None:
        """Add all rows of one utterance."""
        values = {Key(row.model, row.rate, row.metric): row for row in rows}
        utterance_id = next(iter(values.values())).utterance_id
        weights = resample_weights(utterance_seed(self.seed, utterance_id))
        for key, row in values.items():
            base_key = self._base_key(key, values)
            if key not in self._sums:
                self._sums[key] = _Sums(base_key.model)
            sums = self._sums[key]
            if row.value is None:
                sums.missing[row.reason or "unknown"] += 1
                continue
            sums.value.add(row.value, weights)
            base = values[base_key].value if base_key in values else None
            if base is not None:
                sums.difference.add(row.value - base, weights)
                sums.base += base

    def _base_key(self, key: Key, values: dict[Key, Row]) -> Key:
        own = key._replace(model=self.base)
        return own if own in values else key._replace(model=resampled_name(self.base))

    def means(self) -> Iterator[Mean]:
        """Yield the means, in the order in which their rows first came."""
        for key, sums in self._sums.items():
            yield Mean(
                key,
                value=sums.value.estimate(),
                difference=sums.difference.estimate(),
                change_percent=100 * sums.difference.sum / abs(sums.base) if sums.base else None,
                base=sums.base_name,
                missing=dict(sums.missing),
            )
