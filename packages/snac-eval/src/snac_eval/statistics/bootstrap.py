"""Means with confidence intervals that hold the truth as often as they say, from few groups on.

The bootstrap-t (Efron and Tibshirani, "An introduction to the bootstrap", 1993, section 12.5; Hall,
"Theoretical comparison of bootstrap confidence intervals", 1988): each resample's mean is divided
by that resample's own standard error, so that skewed values and small numbers move the interval as
they should. A resample takes each group as often as a Poisson variable of mean 1 says (Chamandy et
al., "Estimating uncertainty for massive data streams", 2012), so that sums are all that is kept.

What is drawn is a group: an utterance, or all utterances of one speaker. A mean is over utterances,
so it is a ratio of two sums over groups, and its standard error is that of a ratio.
"""

from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
CONFIDENCE = 0.95
FEWEST_FOR_INTERVAL = 5  # those of 4 groups hold the truth in 92 to 94 % of cases, of 3 in 83 %
FEWEST_FOR_VERDICT = 8


@dataclass(frozen=True)
class Estimate:
    """A mean over ``n`` utterances, and the interval that holds it with 95 % confidence.

    The mean is None if n is 0. The interval's ends are None where there are fewer than five
    ``groups``, and where so many values are equal that resamples say nothing about an end.
    """

    mean: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
    groups: int


class Bootstrap:
    """Adds up groups, with the weight of each in every resample, for many columns at once.

    Each column has a mean and an interval of its own; more of them may come with later groups.
    """

    def __init__(self) -> None:
        self._shift, self._n, self._groups = np.zeros(0), np.zeros(0), np.zeros(0)
        self._whole = np.zeros((5, 0))
        self._drawn = np.zeros((RESAMPLES, 0))
        self._resampled = np.zeros((5, RESAMPLES, 0))

    def add(self, weights: np.ndarray, sums: np.ndarray, counts: np.ndarray) -> None:
        """Add groups.

        Args:
            weights: of each group in each resample, ``[groups, 2000]``.
            sums: of each group's values, ``[groups, columns]``.
            counts: of its values, ``[groups, columns]``; 0 where it has none.
        """
        self._grow(sums.shape[1])
        self._shift_to(sums, counts)
        sums = sums - self._shift * counts
        moments = (counts, sums, sums * sums, sums * counts, counts * counts)
        self._n += counts.sum(0)
        self._groups += (counts > 0).sum(0)
        self._drawn += (weights > 0).T.astype(float) @ (counts > 0)
        for number, moment in enumerate(moments):
            self._whole[number] += moment.sum(0)
            self._resampled[number] += weights.T @ moment

    def _grow(self, columns: int) -> None:
        for name in ("_shift", "_n", "_groups", "_whole", "_drawn", "_resampled"):
            kept = getattr(self, name)
            more = np.zeros((*kept.shape[:-1], columns - kept.shape[-1]))
            setattr(self, name, np.concatenate([kept, more], axis=-1))

    def _shift_to(self, sums: np.ndarray, counts: np.ndarray) -> None:
        """Take each column's values from its first one: squares then lose no digits."""
        fresh = np.flatnonzero((self._n == 0) & (counts > 0).any(0))
        first = (counts[:, fresh] > 0).argmax(0)
        self._shift[fresh] = sums[first, fresh] / counts[first, fresh]

    def estimates(self) -> list[Estimate]:
        """Return each column's mean, and its interval."""
        with np.errstate(divide="ignore", invalid="ignore"):
            means, errors = _mean_and_error(self._whole)
            drawn_means, drawn_errors = _mean_and_error(self._resampled)
            deviations = (drawn_means - means) / drawn_errors
        deviations[self._drawn < 2] = np.nan  # a resample of one group has no error
        return [
            self._estimate(*column)
            for column in zip(range(len(means)), means, errors, deviations.T, strict=True)
        ]

    def _estimate(self, column: int, mean: float, error: float, deviations: np.ndarray) -> Estimate:
        n, groups = int(self._n[column]), int(self._groups[column])
        if not n:
            return Estimate(None, None, None, 0, 0)
        middle = float(self._shift[column] + mean)
        if groups < FEWEST_FOR_INTERVAL:
            return Estimate(middle, None, None, n, groups)
        if error == 0:
            return Estimate(middle, middle, middle, n, groups)
        high, low = (middle - error * end for end in _tails(deviations))
        if not np.isfinite([low, high]).all():
            return Estimate(middle, None, None, n, groups)
        return Estimate(middle, float(low), float(high), n, groups)


def resample_weights(seed: int) -> np.ndarray:
    """Return how often each resample takes a group, ``[2000]``."""
    return np.random.default_rng(seed).poisson(1.0, RESAMPLES).astype(np.float64)


def _mean_and_error(moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ratio and standard error, of sums of N, S, S S, S N and N N over groups."""
    n, total, squares, products, counts = moments
    means = total / n
    variances = (squares - 2 * means * products + means * means * counts) / (n * n)
    return means, np.sqrt(np.maximum(variances, 0))


def _tails(deviations: np.ndarray) -> tuple[float, float]:
    """Return the deviations that 2.5 and 97.5 % of the resamples are below."""
    known = np.sort(deviations[~np.isnan(deviations)])
    tail = (1 - CONFIDENCE) / 2
    low, high = (known[round(share * (len(known) - 1))] for share in (tail, 1 - tail))
    return low, high
