"""Which utterances to look at and listen to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from snac_common.console import note
from snac_common.errors import BadInput
from snac_eval.measuring.metrics_database import MetricsDatabase


@dataclass(frozen=True)
class Wanted:
    """Which samples were asked for.

    Attributes:
        count: how many, where ``ids`` names none.
        pick: ``best``, ``worst``, ``random``, or ``mixed``, which is a third each of the worst,
            the best and the others.
        where: an SQL condition that they must meet.
        ids: these and no others.
    """

    count: int
    pick: str = "mixed"
    where: str | None = None
    ids: tuple[str, ...] = ()


def choose(database: MetricsDatabase, wanted: Wanted, seed: int) -> dict[str, str]:
    """Return utterance ids, each with why it was chosen.

    Raises:
        BadInput: if the condition is no SQL.
    """
    if wanted.ids:
        return dict.fromkeys(wanted.ids, "asked for")
    chosen: dict[str, str] = {}
    for order, count in _shares(wanted):
        found = database.ranked(order, count + len(chosen), seed, wanted.where)
        fresh = [utterance_id for utterance_id in found if utterance_id not in chosen]
        chosen.update(dict.fromkeys(fresh[:count], order))
    if wanted.where and wanted.count and not chosen:
        note(
            f"warning: --where {wanted.where}: no utterance meets it, so the page comes without "
            "samples"
        )
    return chosen


def require_judged(judged: pa.Array | pa.ChunkedArray, ids: Sequence[str]) -> None:
    """Raise BadInput if one of the ids is not among those of the judged utterances."""
    found = pc.index_in(pa.array(ids, judged.type), value_set=judged)
    for utterance_id, place in zip(ids, found.to_pylist(), strict=True):
        if place is None:
            raise BadInput(
                f"--id {utterance_id}: no such utterance among the {len(judged)} to judge"
            )


def _shares(wanted: Wanted) -> Iterator[tuple[str, int]]:
    """Yield how many samples to take in which order."""
    if wanted.pick != "mixed":
        yield wanted.pick, wanted.count
        return
    third = wanted.count // 3
    yield from (("worst", third), ("best", third), ("random", wanted.count - 2 * third))
