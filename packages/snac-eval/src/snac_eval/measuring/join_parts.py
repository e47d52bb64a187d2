"""From the parts of an evaluation to its ``metrics.parquet``, with measures of the whole set."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from snac_eval.measuring.measure import FRECHET, PENDING, TWO_SAMPLE, Row
from snac_eval.measuring.metrics_file import as_rows, as_table, metrics_writer
from snac_eval.measuring.parts import Parts
from snac_eval.measuring.two_sample import TwoSample, train_two_sample
from snac_eval.metrics.frames import Frames
from snac_eval.metrics.frechet import SetMoments

Place = tuple[str, str, int, str]  # utterance, model, rate, metric


def join_parts(parts: Parts, seed: int, path: Path) -> None:
    """Write all parts as one file, in order, with what is measured of them all in its place."""
    measures = SetMeasures(parts, seed)
    with metrics_writer(path) as writer:
        for number in range(parts.count):
            values = measures.values(number)
            writer.add(as_table(_complete(row, values) for row in as_rows(parts.read(number))))


def _complete(row: Row, values: dict[Place, float]) -> Row:
    if row.reason != PENDING:
        return row
    place = (row.utterance_id, row.model, row.rate, row.metric)
    return row._replace(value=values[place], reason=None)


class SetMeasures:
    """Measures of the whole set, as values of its utterances whose mean is the set's.

    It goes through the frames again and again, so memory does not grow with their number.
    """

    def __init__(self, parts: Parts, seed: int) -> None:
        self._parts = parts
        self._moments: dict[tuple[str, int], SetMoments] = {}
        self._told: dict[tuple[str, int], TwoSample] = {}
        asked: dict[tuple[str, int], bool] = {}
        for frames in self._all():
            self._moments.setdefault(frames.output, SetMoments()).add(frames)
            asked[frames.output] = frames.patches is not None
        for output in (output for output in asked if asked[output]):
            self._told[output] = train_two_sample(self._all, output, seed)

    def values(self, number: int) -> dict[Place, float]:
        """Return the values of a part's utterances."""
        values = {}
        for frames in self._parts.read_frames(number):
            place = (frames.utterance_id, *frames.output)
            values[*place, FRECHET] = self._moments[frames.output].value(frames)
            if frames.output in self._told:
                values[*place, TWO_SAMPLE] = self._told[frames.output].value(frames)
        return values

    def _all(self) -> Iterator[Frames]:
        return chain.from_iterable(map(self._parts.read_frames, range(self._parts.count)))
