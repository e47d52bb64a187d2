"""Reading ahead: everything once and in order, never more audio than allowed."""

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snac_cache.encoding.ahead import read_ahead

DURATIONS = st.lists(st.lists(st.floats(0, 20), min_size=1, max_size=4), max_size=12)


@settings(max_examples=50)
@given(DURATIONS, st.integers(1, 4), st.floats(0, 50))
def test_every_batch_is_read_once_in_order_and_no_farther_ahead_than_allowed(
    batches: list[list[float]], threads: int, seconds: float
) -> None:
    taken: list[list[float]] = []
    longest = max((sum(batch) for batch in batches), default=0.0)

    def source() -> Iterator[list[float]]:
        for batch in batches:
            taken.append(batch)
            yield batch

    given_out: list[list[float]] = []
    for loaded in read_ahead(
        source(), lambda item: -item, lambda item: item, threads=threads, seconds=seconds
    ):
        assert all(result == -item for item, result in loaded)
        given_out.append([item for item, _ in loaded])
        ahead = sum(map(sum, taken)) - sum(map(sum, given_out))
        assert ahead <= seconds + longest + 1e-6
    assert given_out == batches


def test_the_next_batches_are_read_while_one_is_used() -> None:
    begun = threading.Semaphore(0)

    def read(item: int) -> int:
        begun.release()
        return item

    loaded = read_ahead(iter([[1], [2], [3], [4]]), read, lambda item: 1.0, threads=2, seconds=2.0)
    assert next(loaded) == [(1, 1)]
    assert all(begun.acquire(timeout=10) for _ in range(3))  # of what is used, and two ahead
    assert not begun.acquire(timeout=0.1)
    loaded.close()


def test_an_error_of_reading_is_raised_where_it_is_used() -> None:
    def read(item: int) -> int:
        if item == 2:
            raise ValueError("broken")
        return item

    loaded = read_ahead(iter([[1], [2], [3]]), read, lambda item: 1.0, threads=2, seconds=9.0)
    assert next(loaded) == [(1, 1)]
    with pytest.raises(ValueError, match="broken"):
        next(loaded)
