"""Means over utterances and paired differences to the base, with their intervals."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from snac_eval.measuring.measure import Row
from snac_eval.models.decoding import utterance_seed
from snac_eval.models.names import resampled_name
from snac_eval.statistics.bootstrap import Bootstrap, Estimate, resample_weights
from snac_eval.statistics.groups import GroupOf, each_alone

AT_ONCE = 64  # utterances whose values are held before they are added up


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
        base_mean: what the base has over the same utterances.
        base: name of the rows that the difference is to.
        missing: how many utterances have no value, by reason.
    """

    key: Key
    value: Estimate
    difference: Estimate
    base_mean: float | None
    base: str
    missing: dict[str, int]

    @property
    def change_percent(self) -> float | None:
        """The difference in percent of the base's mean; None where that is 0 or unknown."""
        if not self.base_mean or self.difference.mean is None:
            return None
        return 100 * self.difference.mean / abs(self.base_mean)

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
    base: float = 0.0
    missing: Counter[str] = field(default_factory=Counter)


@dataclass
class _Group:
    """Of one key: sum and number of the values, and of the differences to the base."""

    value: float = 0.0
    values: int = 0
    difference: float = 0.0
    differences: int = 0

    def add(self, value: float, base: float | None) -> None:
        self.value += value
        self.values += 1
        if base is not None:
            self.difference += value - base
            self.differences += 1


class Summary:
    """Adds up rows one utterance at a time.

    Args:
        base: name of the model that differences are taken to. At a rate that it has no head for,
            its resampled output stands in.
        seed: decides the resamples, together with the groups' names.
        group_of: gives an utterance's group by its id; all utterances of a group are drawn
            together. By default each is a group of its own.
    """

    def __init__(self, base: str, seed: int, group_of: GroupOf = each_alone) -> None:
        self.base = base
        self.seed = seed
        self.group_of = group_of
        self._sums: dict[Key, _Sums] = {}
        self._groups: dict[str, dict[Key, _Group]] = {}
        self._bootstrap = Bootstrap()

    def add(self, rows: Iterable[Row]) -> None:
        """Add all rows of one utterance."""
        values = {Key(row.model, row.rate, row.metric): row for row in rows}
        utterance_id = next(iter(values.values())).utterance_id
        group = self._groups.setdefault(self.group_of(utterance_id), {})
        for key, row in values.items():
            base_key = self._base_key(key, values)
            sums = self._sums.setdefault(key, _Sums(base_key.model))
            if row.value is None:
                sums.missing[row.reason or "unknown"] += 1
                continue
            base = values[base_key].value if base_key in values else None
            group.setdefault(key, _Group()).add(row.value, base)
            if base is not None:
                sums.base += base
        if self.group_of is each_alone and len(self._groups) >= AT_ONCE:
            self._flush()

    def _base_key(self, key: Key, values: dict[Key, Row]) -> Key:
        own = key._replace(model=self.base)
        return own if own in values else key._replace(model=resampled_name(self.base))

    def _flush(self) -> None:
        """Add the groups to the resamples, and forget them."""
        columns = {key: column for column, key in enumerate(self._sums)}
        sums, counts = (np.zeros((len(self._groups), len(columns), 2)) for _ in range(2))
        for number, group in enumerate(self._groups.values()):
            for key, added in group.items():
                sums[number, columns[key]] = added.value, added.difference
                counts[number, columns[key]] = added.values, added.differences
        seeds = [utterance_seed(self.seed, name) for name in self._groups]
        weights = np.stack([resample_weights(seed) for seed in seeds])
        flat = (len(self._groups), 2 * len(columns))
        self._bootstrap.add(weights, sums.reshape(flat), counts.reshape(flat))
        self._groups.clear()

    def means(self) -> Iterator[Mean]:
        """Yield the means, in the order in which their rows first came; to be called once."""
        if self._groups:
            self._flush()
        estimates = self._bootstrap.estimates()
        values, differences = estimates[::2], estimates[1::2]
        for column, (key, sums) in enumerate(self._sums.items()):
            yield Mean(
                key,
                value=values[column],
                difference=differences[column],
                base_mean=sums.base / differences[column].n if differences[column].n else None,
                base=sums.base_name,
                missing=dict(sums.missing),
            )
