"""Parts that a worker has taken: their utterances go out, and what became of them comes back."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from snac_cache.encoding.reading import Row
from snac_cache.encoding.stream import Result, Utterance
from snac_cache.store.records import Encoded
from snac_cache.work.plan import Part
from snac_cache.work.plan_file import Plan


@dataclass
class PartInFlight:
    """A part whose utterances are being encoded.

    Attributes:
        results: by position in ``rows``.
    """

    part: Part
    rows: Sequence[Row]
    results: dict[int, Result] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether there is a result for every row."""
        return len(self.results) == len(self.rows)

    @property
    def encoded(self) -> dict[int, Encoded]:
        """The codes of those rows that have some."""
        return {key: value for key, value in self.results.items() if isinstance(value, Encoded)}


Place = tuple[PartInFlight, int]


def windows_of(
    parts: Iterable[Part], plan: Plan, window_rows: int
) -> Iterator[list[Utterance[Place]]]:
    """Yield the utterances of so many parts together as have ``window_rows`` rows.

    Small parts thus make batches as full as large ones do. Parts are taken only as windows are
    asked for: what a worker has not taken, another one may.
    """
    window: list[Utterance[Place]] = []
    for part in parts:
        rows = plan.rows(part).to_pylist()
        taken = PartInFlight(part, rows)
        window += [Utterance((taken, position), row) for position, row in enumerate(rows)]
        if len(window) >= window_rows:
            yield window
            window = []
    if window:
        yield window
