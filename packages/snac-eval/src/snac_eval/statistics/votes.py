"""Adding up the votes of listeners who compared two versions without knowing which was which."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from snac_common.errors import Failure
from snac_common.text_table import aligned
from snac_eval.models.names import kilohertz
from snac_eval.statistics.shares import Share, share_interval

HEADER = (
    "model",
    "against",
    "rate",
    "listeners",
    "preferred",
    "other",
    "no difference",
    "share",
    "95 %",
)
TEXTS = 3  # columns that are no numbers


class Pair(NamedTuple):
    """Two models at one rate."""

    model: str
    against: str
    rate: int


class Vote(NamedTuple):
    """One listener's answer to one trial; ``preferred`` is None where there was no difference."""

    listener: str
    trial: str
    pair: Pair
    preferred: str | None


@dataclass(frozen=True)
class Tally:
    """How often one model was preferred to another.

    ``share`` is that of the votes with a preference; ``interval`` holds it with 95 % confidence,
    as ``share_interval`` says. Both are None without such votes.
    """

    model: str
    against: str
    rate: int
    listeners: int
    preferred: int
    other: int
    ties: int
    share: float | None
    interval: tuple[float, float] | None


def count_votes(files: Sequence[Path]) -> list[Tally]:
    """Add up the votes of files that the report's blind test saved.

    Raises:
        Failure: if a file cannot be read or holds no such votes, or if a listener's vote on a trial
            occurs twice.
    """
    seen: dict[tuple[str, str], Path] = {}
    by_pair: dict[Pair, list[Vote]] = {}
    for file in files:
        for vote in _read(file):
            if first := seen.get((vote.listener, vote.trial)):
                raise Failure(
                    f"{file}: the vote of {vote.listener!r} on trial {vote.trial} is in {first} "
                    "already. Give each listener's votes once."
                )
            seen[vote.listener, vote.trial] = file
            by_pair.setdefault(vote.pair, []).append(vote)
    return [_tally(pair, votes) for pair, votes in by_pair.items()]


def votes_table(tallies: Sequence[Tally]) -> str:
    """Return one line a pair of models."""
    lines = [
        (
            tally.model,
            tally.against,
            kilohertz(tally.rate),
            *map(str, (tally.listeners, tally.preferred, tally.other, tally.ties)),
            "-" if tally.share is None else f"{tally.share:.0%}",
            "-" if tally.interval is None else "{:.0%} to {:.0%}".format(*tally.interval),
        )
        for tally in tallies
    ]
    return aligned([HEADER, *lines], [column >= TEXTS for column in range(len(HEADER))])


def _tally(pair: Pair, votes: list[Vote]) -> Tally:
    counts = Counter(vote.preferred for vote in votes)
    by_listener = [
        Share(
            sum(vote.preferred == pair.model for vote in votes if vote.listener == listener),
            sum(vote.preferred is not None for vote in votes if vote.listener == listener),
        )
        for listener in dict.fromkeys(vote.listener for vote in votes)
    ]
    decided = counts[pair.model] + counts[pair.against]
    return Tally(
        *pair,
        listeners=len(by_listener),
        preferred=counts[pair.model],
        other=counts[pair.against],
        ties=counts[None],
        share=counts[pair.model] / decided if decided else None,
        interval=share_interval(by_listener) if decided else None,
    )


def _read(file: Path) -> Iterator[Vote]:
    """Yield the votes of a file."""
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
        listener = _text(saved, "listener")
        for vote in saved["votes"]:
            yield _vote(listener, vote)
    except OSError as error:
        raise Failure(f"cannot read the votes in {file}: {error.strerror}") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Failure(
            f"{file} holds no votes that a report's blind test saved: {_lacking(error)}"
        ) from error


def _lacking(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it has no {error}"
    return str(error) if isinstance(error, ValueError) else "it is of another form"


def _vote(listener: str, vote: dict[str, Any]) -> Vote:
    model, against, trial = (_text(vote, name) for name in ("model", "against", "trial"))
    rate, preferred = vote["rate"], vote["preferred"]
    if type(rate) is not int or rate <= 0 or model == against:
        raise ValueError(f"a vote between {model!r} and {against!r} at a rate of {rate!r}")
    if preferred is not None and preferred not in (model, against):
        raise ValueError(f"a vote for {preferred!r}, between {model!r} and {against!r}")
    return Vote(listener, trial, Pair(model, against, rate), preferred)


def _text(saved: dict[str, Any], name: str) -> str:
    text = saved[name]
    if not isinstance(text, str) or not text:
        raise ValueError(f"{name} is {text!r}, not a text")
    return text
