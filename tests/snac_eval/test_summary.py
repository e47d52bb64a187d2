"""Means and paired differences."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snac_eval.measuring.measure import Row
from snac_eval.statistics.bootstrap import FEWEST_FOR_INTERVAL, Estimate
from snac_eval.statistics.summary import Mean, Summary

values = st.none() | st.floats(0.001, 100)


def summarise(pairs: list[tuple[float | None, float | None]]) -> dict[str, Mean]:
    """Sum up a base and a model over utterances."""
    summary = Summary("base", seed=0)
    for number, pair in enumerate(pairs):
        summary.add(
            Row(str(number), name, 24000, "loss", value, None if value is not None else "none")
            for name, value in zip(("base", "model"), pair, strict=True)
        )
    return {mean.key.model: mean for mean in summary.means()}


@given(st.lists(st.tuples(values, values), min_size=1, max_size=20))
def test_a_missing_value_is_left_out_and_counted(
    pairs: list[tuple[float | None, float | None]],
) -> None:
    mean = summarise(pairs)["model"]
    present = [value for _, value in pairs if value is not None]
    both = [(base, value) for base, value in pairs if base is not None and value is not None]
    assert mean.value.n == len(present)
    assert mean.n_null == len(pairs) - len(present)
    assert mean.difference.n == len(both)
    assert (mean.value.mean is None) == (not present)
    assert (mean.difference.mean is None) == (mean.change_percent is None) == (not both)
    if present:
        assert mean.value.mean == pytest.approx(math.fsum(present) / len(present))
    if both:
        bases = math.fsum(base for base, _ in both)
        difference = math.fsum(value - base for base, value in both)
        assert mean.difference.mean == pytest.approx(difference / len(both), abs=1e-9)
        assert mean.change_percent == pytest.approx(100 * difference / bases, abs=1e-6)


@given(st.lists(st.floats(0.001, 100), min_size=1, max_size=20))
def test_equal_values_differ_by_exactly_nothing(losses: list[float]) -> None:
    mean = summarise([(loss, loss) for loss in losses])["model"]
    assert (mean.difference.mean, mean.change_percent) == (0.0, 0.0)
    if len(losses) >= FEWEST_FOR_INTERVAL:
        assert (mean.difference.ci_low, mean.difference.ci_high) == (0.0, 0.0)


def test_the_resampled_base_stands_in_where_the_base_has_no_head() -> None:
    summary = Summary("base", seed=0)
    losses = {("base", 24000): 3.0, ("base resampled", 48000): 4.0, ("model", 48000): 1.0}
    summary.add(Row("a", *key, "loss", value, None) for key, value in losses.items())
    assert [mean.difference.mean for mean in summary.means()] == [0.0, 0.0, -3.0]


def test_one_utterance_has_no_interval() -> None:
    mean = summarise([(1.0, 3.0)])["model"]
    assert mean.value == Estimate(3.0, None, None, 1, 1)
    assert mean.difference == Estimate(2.0, None, None, 1, 1)


def test_without_a_base_at_a_rate_there_is_no_difference() -> None:
    summary = Summary("base", seed=0)
    losses = {("base", 48000): 4.0, ("model", 24000): 3.0, ("model", 48000): 1.0}
    summary.add(Row("a", *key, "loss", value, None) for key, value in losses.items())
    assert [mean.difference.mean for mean in summary.means()] == [0.0, None, -3.0]
