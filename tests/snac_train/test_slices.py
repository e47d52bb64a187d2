"""Random choices: functions of what they are for, and nothing else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from snac_train.data.slices import Draws, epoch_batches, in_order, window_around

seeds = st.integers(-(2**40), 2**40)
counts = st.integers(1, 400)


@given(seeds, st.integers(1, 99), counts, st.integers(1, 50))
def test_an_epoch_has_each_utterance_once(
    seed: int, epoch: int, utterances: int, batch_size: int
) -> None:
    batches = epoch_batches(seed, epoch, utterances, batch_size)
    assert sorted(item for batch in batches for item in batch) == list(range(utterances))
    assert all(len(batch) == batch_size for batch in batches[:-1])
    again = epoch_batches(seed, epoch, utterances, batch_size)
    assert all(map(np.array_equal, batches, again))


@given(seeds, st.integers(1, 99), st.integers(1, 40), st.integers(1, 40))
def test_the_order_does_not_depend_on_the_batch_size(
    seed: int, epoch: int, one: int, other: int
) -> None:
    first, second = (epoch_batches(seed, epoch, 60, size) for size in (one, other))
    assert all(map(np.array_equal, in_order(np.concatenate(first), other), second))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    orders = {str(epoch_batches(seed, epoch, 50, 50)) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25


@given(seeds, st.integers(1, 99), st.text(), counts, counts)
def test_a_slice_lies_within_its_utterance(
    seed: int, epoch: int, utterance_id: str, segment: int, available: int
) -> None:
    start = Draws.for_epoch(seed, epoch).start(utterance_id, segment, available)
    assert 0 <= start <= max(0, available - segment)
    assert start == Draws.for_epoch(seed, epoch).start(utterance_id, segment, available)


def test_every_start_is_drawn_about_equally_often() -> None:
    draws = Draws.for_epoch(0, 1)
    starts = [draws.start(f"utterance {number}", 3, 12) for number in range(10_000)]
    assert all(850 < starts.count(start) < 1150 for start in range(10))


def test_choices_differ_by_seed_epoch_utterance_and_purpose() -> None:
    scopes = [Draws.for_epoch(seed, epoch) for seed in (0, 1, 11) for epoch in (1, 2, 11)]
    scopes += [Draws.for_validation(seed) for seed in (0, 1)]
    noise = [draws.noise_seed(name) for draws in scopes for name in ("a", "b", "slice")]
    starts = [draws.start(name, 1, 2**60) for draws in scopes for name in ("a", "b", "slice")]
    assert len({*noise, *starts}) == len(noise) + len(starts)


@given(st.integers(1, 60), st.integers(0, 9), st.integers(1, 90), st.data())
def test_a_window_has_the_context_that_the_utterance_has(
    segment: int, context: int, available: int, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, max(0, available - segment)))
    window = window_around(start, segment, context, available)
    assert window.size == segment + 2 * context
    assert window.length == min(window.size, available)
    assert 0 <= window.start <= window.start + window.length <= available
    assert window.start + window.offset == start
    end = min(start + segment, available)
    assert window.start <= max(0, start - context)
    assert window.start + window.length >= min(available, end + context)
