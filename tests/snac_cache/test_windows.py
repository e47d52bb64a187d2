"""Several small parts are batched together, as one large part would be; each is still its own."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from snac_cache.encoding.batches import plan_batches
from snac_cache.encoding.build import _window_rows
from snac_cache.encoding.parts_in_flight import windows_of
from snac_cache.work.plan import Part
from snac_cache.work.plan_file import Plan
from snac_model.shapes.config import SNAC_24KHZ
from snac_model.shapes.geometry import Geometry

GEOMETRY = Geometry.of(SNAC_24KHZ)
ROWS = 8192


class MadeUp(Plan):
    """A plan whose rows have lengths of 1 to 20 s, the same however they are cut into parts."""

    def rows(self, part: Part, columns: list[str] | None = None) -> pa.Table:
        samples = np.random.default_rng(0).integers(24_000, 480_000, ROWS)
        start = part.number * part.rows
        return pa.table({"samples": samples[start : start + part.rows]})


def batches(part_rows: int, window_rows: int) -> list[list[int]]:
    """Return the lengths in every batch of two large parts' rows."""
    parts = [Part("train", number, part_rows, "") for number in range(ROWS // part_rows)]
    made = []
    for window in windows_of(parts, MadeUp(Path(), []), window_rows):
        lengths = [utterance.row["samples"] for utterance in window]
        planned = plan_batches(lengths, GEOMETRY, 240 * 24_000)
        made += [[lengths[position] for position in batch] for batch in planned]
    return made


def test_batches_of_small_parts_are_those_of_large_ones() -> None:
    assert batches(256, 4096) == batches(4096, 4096)
    assert len(batches(256, 256)) > 5 * len(batches(256, 4096))  # each part by itself


def test_a_part_is_taken_when_it_is_asked_for_and_complete_when_all_its_rows_are() -> None:
    taken: list[int] = []

    def parts() -> Iterator[Part]:
        for number in range(5):
            taken.append(number)
            yield Part("train", number, 4, "")

    windows = windows_of(parts(), MadeUp(Path(), []), 8)
    first = next(windows)
    assert taken == [0, 1]
    in_flight = [utterance.key for utterance in first]
    assert [position for _, position in in_flight] == [0, 1, 2, 3] * 2
    part, _ = in_flight[0]
    assert part is in_flight[3][0]
    assert part is not in_flight[4][0]
    for _, position in in_flight[:4]:
        assert not part.is_complete
        part.results[position] = None  # type: ignore[assignment]
    assert part.is_complete
    assert not in_flight[4][0].is_complete
    assert [len(window) for window in windows] == [8, 4]


@pytest.mark.parametrize(
    ("parts", "workers", "rows"), [(1, 1, 256), (8, 4, 512), (1000, 4, 4096), (3, 0, 768)]
)
def test_a_window_leaves_the_other_workers_their_share(parts: int, workers: int, rows: int) -> None:
    planned = [Part("train", number, 256, "") for number in range(parts)]
    assert _window_rows(planned, workers) == rows
