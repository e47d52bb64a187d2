"""Intervals hold the truth as often as they say, from eight utterances or speakers on."""

from collections.abc import Callable

import numpy as np
import pytest

from snac_eval.measuring.measure import Row
from snac_eval.statistics.bootstrap import Bootstrap, Estimate, resample_weights
from snac_eval.statistics.catalogue import TOO_FEW, verdict
from snac_eval.statistics.summary import Summary

TRIALS = 2000
DRAWS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "normal": lambda random, shape: random.normal(0.0, 1.0, shape),
    "gamma": lambda random, shape: random.gamma(2.0, 1.0, shape) - 2.0,
    "exponential": lambda random, shape: random.exponential(1.0, shape) - 1.0,
}


def estimates(sums: np.ndarray, counts: np.ndarray, seed: int = 0) -> list[Estimate]:
    """Return the estimates of columns whose groups have these sums ``[groups, columns]``.

    Eight lots of columns have resamples of their own, as eight evaluations have.
    """
    found = []
    for part in np.array_split(np.arange(sums.shape[1]), min(8, sums.shape[1])):
        seeds = [seed + 1000 * int(part[0]) + number for number in range(len(sums))]
        bootstrap = Bootstrap()
        bootstrap.add(np.stack(list(map(resample_weights, seeds))), sums[:, part], counts[:, part])
        found += bootstrap.estimates()
    return found


def coverage(found: list[Estimate], truth: float) -> float:
    """Return the share of the intervals that hold the truth."""
    held = [
        one.ci_low <= truth <= one.ci_high
        for one in found
        if one.ci_low is not None and one.ci_high is not None
    ]
    assert len(held) > 0.99 * len(found)
    return sum(held) / len(held)


@pytest.mark.parametrize(
    ("kind", "count"),
    [*((kind, 8) for kind in DRAWS), *(("exponential", count) for count in (16, 40))],
)
def test_coverage_of_independent_utterances(kind: str, count: int) -> None:
    values = 5.0 + DRAWS[kind](np.random.default_rng(count), (count, TRIALS))
    assert 0.93 <= coverage(estimates(values, np.ones_like(values)), 5.0) <= 0.97


@pytest.mark.parametrize("kind", ["normal", "gamma"])
def test_coverage_of_speakers_with_few_and_with_many_utterances(kind: str) -> None:
    """Half of the variance is between speakers, who are drawn as a whole."""
    random = np.random.default_rng(3)
    sizes = random.integers(2, 20, 12)
    speakers = DRAWS[kind](random, (12, TRIALS))
    sums = np.stack(
        [
            (DRAWS[kind](random, (size, TRIALS)) + speaker).sum(0)
            for size, speaker in zip(sizes, speakers, strict=True)
        ]
    )
    counts = np.repeat(sizes[:, None].astype(float), TRIALS, axis=1)
    assert 0.93 <= coverage(estimates(sums, counts), 0.0) <= 0.97


def test_utterances_of_one_speaker_are_no_independent_evidence() -> None:
    """Twelve speakers with forty utterances each, who differ: one interval is far too narrow."""
    random = np.random.default_rng(0)
    widths = {}
    values = random.normal(0, 1, 12).repeat(40) + random.normal(0, 0.3, 480)
    for name, group_of in (("alone", None), ("by speaker", lambda text: text.split("/")[0])):
        summary = Summary("base", 0, **({"group_of": group_of} if group_of else {}))
        for number, value in enumerate(values):
            utterance_id = f"{number // 40}/{number % 40}"
            summary.add([Row(utterance_id, "base", 24000, "loss", float(value), None)])
        (mean,) = summary.means()
        assert mean.value.ci_low is not None
        assert mean.value.ci_high is not None
        widths[name] = mean.value.ci_high - mean.value.ci_low
        assert (mean.value.n, mean.value.groups) == (480, 480 if name == "alone" else 12)
        assert mean.value.mean == pytest.approx(values.mean())
    assert widths["by speaker"] > 4 * widths["alone"]


def test_an_interval_is_that_of_the_usual_bootstrap_t() -> None:
    """Against drawing utterances with replacement, many times."""
    random = np.random.default_rng(3)
    values = random.gamma(2.0, size=60)
    drawn = values[random.integers(0, 60, (40_000, 60))]
    deviations = (drawn.mean(1) - values.mean()) / (drawn.std(1) / np.sqrt(60))
    low, high = np.percentile(deviations, [2.5, 97.5])
    error = values.std() / np.sqrt(60)
    (found,) = estimates(values[:, None], np.ones((60, 1)))
    expected = (values.mean() - high * error, values.mean() - low * error)
    assert (found.ci_low, found.ci_high) == pytest.approx(expected, abs=0.15 * error)


def test_where_the_values_lie_changes_no_width() -> None:
    values = np.random.default_rng(0).normal(0, 1e-6, (20, 1))
    (near,), (far,) = (estimates(values + place, np.ones((20, 1))) for place in (0.0, 1e4))
    assert near.ci_low is not None
    assert far.ci_low is not None
    assert far.ci_low - 1e4 == pytest.approx(near.ci_low, abs=1e-10)


def test_few_groups_have_no_interval_and_values_that_hardly_vary_neither() -> None:
    values = np.random.default_rng(0).normal(size=(4, 1))
    (few,) = estimates(values, np.ones((4, 1)))
    assert (few.ci_low, few.ci_high, few.groups) == (None, None, 4)
    once = np.zeros((8, 1))
    once[3] = 1.0
    (found,) = estimates(once, np.ones((8, 1)))
    assert (found.mean, found.ci_low, found.ci_high) == (0.125, None, None)


@pytest.mark.parametrize(("count", "expected"), [(7, TOO_FEW), (8, "better")])
def test_there_is_no_verdict_below_eight(count: int, expected: str) -> None:
    summary = Summary("base", 0)
    for number in range(count):
        losses = (("base", 1.0 + 0.01 * number), ("model", 0.5))
        summary.add(Row(str(number), name, 24000, "loss", value, None) for name, value in losses)
    mean = {mean.key.model: mean for mean in summary.means()}["model"]
    assert verdict(mean) == expected
