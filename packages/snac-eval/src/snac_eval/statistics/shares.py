"""Intervals of a share of votes, from one listener or from several."""

import math
from collections.abc import Callable, Sequence
from statistics import fmean, stdev
from typing import NamedTuple

CONFIDENCE = 0.95


class Share(NamedTuple):
    """How many of one listener's votes were for something."""

    votes: int
    of: int


def share_interval(listeners: Sequence[Share]) -> tuple[float, float]:
    """Return the interval of the share of all votes.

    One listener's is exact (Clopper and Pearson, 1934): it says how far other utterances could
    move that listener's share, and nothing of other listeners. Votes of one listener resemble each
    other, so several are not as many independent trials. Of two or more listeners it is therefore
    the wider, at each end, of the exact interval and of Student's over the listeners' own shares,
    which says how far other listeners could move it. Neither covers other utterances for them all.
    """
    asked = [listener for listener in listeners if listener.of]
    low, high = binomial_interval(*map(sum, zip(*asked, strict=True)))
    if len(asked) > 1:
        shares = [listener.votes / listener.of for listener in asked]
        reach = student_quantile(len(asked) - 1) * stdev(shares) / math.sqrt(len(asked))
        low, high = min(low, fmean(shares) - reach), max(high, fmean(shares) + reach)
    return max(low, 0.0), min(high, 1.0)


def binomial_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the exact interval of a share, after Clopper and Pearson (1934)."""
    tail = (1 - CONFIDENCE) / 2

    def at_least(share: float) -> float:
        return sum(_probability(count, trials, share) for count in range(successes, trials + 1))

    def at_most(share: float) -> float:
        return sum(_probability(count, trials, share) for count in range(successes + 1))

    low = _root(lambda share: at_least(share) - tail) if successes else 0.0
    high = _root(lambda share: tail - at_most(share)) if successes < trials else 1.0
    return low, high


def student_quantile(freedom: int) -> float:
    """Return what a variable of Student's distribution exceeds, up or down, in 5 % of cases.

    With the finite series of Abramowitz and Stegun, 26.7.3 and 26.7.4, in the angle whose tangent
    is the variable over the root of the degrees of freedom.
    """

    def within(quarters: float) -> float:
        angle = quarters * math.pi / 2
        cosine, sine = math.cos(angle), math.sin(angle)
        term = cosine if freedom % 2 else 1.0
        total = 0.0
        for step in range(2 + freedom % 2, freedom + 1, 2):
            total += term
            term *= cosine * cosine * (step - 1) / step
        return 2 / math.pi * (angle + sine * total) if freedom % 2 else sine * total

    quarters = _root(lambda quarters: within(quarters) - CONFIDENCE)
    return math.sqrt(freedom) * math.tan(quarters * math.pi / 2)


def _probability(count: int, trials: int, share: float) -> float:
    """Return the probability of ``count`` successes, for a share between 0 and 1."""
    ways = math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)
    return math.exp(ways + count * math.log(share) + (trials - count) * math.log1p(-share))


def _root(rising: Callable[[float], float]) -> float:
    """Halve the range from 0 to 1 until it holds the root alone."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2
