"""Rows of ids without loops over rows, and utterances packed: against plain lists."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snac_cache.rows.packing import Packer, Utterance
from snac_cache.rows.ragged import Ragged, joined

lists = st.lists(st.lists(st.integers(0, 200_000), max_size=4), min_size=1, max_size=6)


@given(st.data(), lists, st.lists(st.integers(0, 9), max_size=3))
def test_pieces_are_joined_row_by_row(
    data: st.DataObject, rows: list[list[int]], same: list[int]
) -> None:
    others = data.draw(
        st.lists(st.lists(st.integers(0, 9)), min_size=len(rows), max_size=len(rows))
    )
    whole = joined([same, Ragged.of(rows), same, Ragged.of(others), []])
    expected = [[*same, *one, *same, *other] for one, other in zip(rows, others, strict=True)]
    assert whole.to_arrow().to_pylist() == expected
    assert [row.tolist() for row in whole.split()] == expected
    chosen = np.array(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))))
    kept = [row for row, keep in zip(expected, chosen, strict=True) if keep]
    assert whole.where(chosen).to_arrow().to_pylist() == kept


def packed(lengths: list[int], size: int, waiting: int, at_once: int) -> list[list[Utterance]]:
    utterances = [
        Utterance(str(number), np.full(length, number, np.int32))
        for number, length in enumerate(lengths)
    ]
    packer = Packer(size, waiting)
    rows = []
    for start in range(0, len(utterances), at_once):
        rows += list(packer.add(utterances[start : start + at_once]))
        assert len(packer) <= waiting
    return [*rows, *packer.finish()]


@given(st.lists(st.integers(1, 20), max_size=60), st.integers(0, 9), st.integers(1, 9))
def test_each_utterance_is_in_one_row_and_no_row_is_too_long(
    lengths: list[int], waiting: int, at_once: int
) -> None:
    rows = packed(lengths, 20, waiting, at_once)
    assert all(0 < sum(item.length for item in row) <= 20 for row in rows)
    names = sorted(int(item.name) for row in rows for item in row)
    assert names == list(range(len(lengths)))


@pytest.mark.parametrize("size", [2048, 8192])
def test_rows_of_speech_are_nearly_full_and_as_mixed_as_what_came(size: int) -> None:
    random = np.random.default_rng(0)
    seconds = random.lognormal(np.log(4.7), 0.5, 30_000).clip(1, 24)
    lengths = (7 * np.ceil(seconds / 0.0853) + random.integers(20, 60, 30_000)).astype(int)
    lengths = lengths.clip(max=size).tolist()
    rows = packed(lengths, size, 4096, 4096)
    assert sum(lengths) / (len(rows) * size) >= 0.98
    means = [np.mean([item.length for item in row]) for row in rows]
    tenth = len(rows) // 10
    assert np.mean(means[:tenth]) == pytest.approx(np.mean(means[tenth:]), rel=0.1)
