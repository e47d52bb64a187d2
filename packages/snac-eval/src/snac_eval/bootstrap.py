"""Means with confidence intervals, of values that come one at a time.

The Poisson bootstrap (Chamandy et al., "Estimating uncertainty for massive data streams", 2012):
a resample takes each utterance as often as a Poisson variable of mean 1 says, so that nothing but
the resamples' sums is kept, however many utterances there are.
"""

from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over ``n`` utterances, and the interval that holds it with 95 % confidence.

    The mean is None if n is 0; the interval's ends are None if n is less than 2.
    """

    mean: float | None
    ci_low: float | None
    ci_high: float | None
    n: int


class RunningMean:
    """Adds up values with their weights in every resample."""

    def __init__(self) -> None:
        self.n = 0
        self.sum = 0.0
        self._sums = np.zeros(RESAMPLES)
        self._weights = np.zeros(RESAMPLES)

    def add(self, value: float, weights: np.ndarray) -> None:
        """Add a value; ``weights`` ``[2000]`` are its utterance's."""
        self.n += 1
        self.sum += value
        self._sums += weights * value
        self._weights += weights

    def estimate(self) -> Estimate:
        """Return the mean and the percentile interval."""
        if not self.n:
            return Estimate(None, None, None, 0)
        if self.n == 1:
            return Estimate(self.sum, None, None, 1)
        drawn = self._weights > 0
        means = self._sums[drawn] / self._weights[drawn]
        outside = 50 * (1 - CONFIDENCE)
        low, high = np.percentile(means, [outside, 100 - outside])
        return Estimate(self.sum / self.n, float(low), float(high), self.n)


def resample_weights(seed: int) -> np.ndarray:
    """Return how often each resample takes an utterance, ``[2000]``."""
    return np.random.default_rng(seed).poisson(1.0, RESAMPLES).astype(np.float64)
