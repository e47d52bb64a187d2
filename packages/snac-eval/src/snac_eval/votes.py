"""Adding up the votes of listeners who compared two versions without knowing which was which."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snac_common.errors import Failure
from snac_eval.columns import aligned
from snac_eval.names import kilohertz

CONFIDENCE = 0.95
HEADER = ("model", "against", "rate", "preferred", "other", "no difference", "share", "95 %")


@dataclass(frozen=True)
class Tally:
    """How often one model was preferred to another.

    ``share`` is that of the votes with a preference, ``low`` and ``high`` the exact interval after
    Clopper and Pearson (1934) that holds it with 95 % confidence; None without such votes.
    """

    model: str
    against: str
    rate: int
    preferred: int
    other: int
    ties: int

    @property
    def share(self) -> float | None:
        """Share of the votes with a preference that are for the model."""
        return self.preferred / self._decided if self._decided else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The share's interval."""
        return binomial_interval(self.preferred, self._decided) if self._decided else None

    @property
    def _decided(self) -> int:
        return self.preferred + self.other


def count_votes(files: Sequence[Path]) -> list[Tally]:
    """Add up the votes of files that the report's blind test saved.

    Raises:
        Failure: if a file cannot be read, or holds no such votes.
    """
    counts: Counter[tuple[str, str, int, str | None]] = Counter()
    for file in files:
        counts.update(_read(file))
    pairs = dict.fromkeys((model, against, rate) for model, against, rate, _ in counts)
    return [
        Tally(
            *pair,
            preferred=counts[(*pair, pair[0])],
            other=counts[(*pair, pair[1])],
            ties=counts[(*pair, None)],
        )
        for pair in pairs
    ]


def votes_table(tallies: Sequence[Tally]) -> str:
    """Return one line a pair of models."""
    lines = [
        (
            tally.model,
            tally.against,
            kilohertz(tally.rate),
            *map(str, (tally.preferred, tally.other, tally.ties)),
            "-" if tally.share is None else f"{tally.share:.0%}",
            "-" if tally.interval is None else "{:.0%} to {:.0%}".format(*tally.interval),
        )
        for tally in tallies
    ]
    return aligned([HEADER, *lines], names=3)


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


def _read(file: Path) -> Iterator[tuple[str, str, int, str | None]]:
    """Yield model, base, rate and who was preferred, of each vote."""
    try:
        votes = json.loads(file.read_text(encoding="utf-8"))["votes"]
        yield from map(_vote, votes)
    except OSError as error:
        raise Failure(f"cannot read the votes in {file}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(
            f"{file} holds no votes that a report's blind test saved: {error!r}"
        ) from error


def _vote(vote: dict[str, Any]) -> tuple[str, str, int, str | None]:
    model, against, rate, preferred = (
        vote[name] for name in ("model", "against", "rate", "preferred")
    )
    if preferred not in (model, against, None) or not isinstance(rate, int):
        raise ValueError(f"a vote for {preferred!r}, between {model!r} and {against!r}")
    return model, against, rate, preferred
