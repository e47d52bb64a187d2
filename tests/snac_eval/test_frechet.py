"""The Fréchet distance of log-mel frames: closed forms, what it must see, and its intervals."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spoiled import WAYS, breathy

from snac_eval.metrics.frames import BANDS, DIMENSIONS, Frames, frames_of
from snac_eval.metrics.frechet import SetMoments, frechet_distance
from snac_eval.metrics.pairs import NoValue, Pair
from snac_eval.statistics.bootstrap import Bootstrap, resample_weights
from snac_model.audio.reading import read_mono


def covariance(size: int, seed: int) -> np.ndarray:
    factor = np.random.default_rng(seed).normal(size=(size, size))
    return factor @ factor.T / size + 0.01 * np.eye(size)


def root_by_newton(matrix: np.ndarray) -> np.ndarray:
    """Denman and Beavers (1976): an iteration that needs neither eigenvalues nor symmetry."""
    root, inverse = matrix, np.eye(len(matrix))
    for _ in range(60):
        root, inverse = (root + np.linalg.inv(inverse)) / 2, (inverse + np.linalg.inv(root)) / 2
    return root


@given(st.integers(1, 12), st.integers(0, 1000))
@settings(max_examples=25)
def test_the_distance_is_that_of_the_root_of_the_product(size: int, seed: int) -> None:
    one, other = covariance(size, seed), covariance(size, seed + 1)
    mean, other_mean = np.random.default_rng(seed).normal(size=(2, size))
    expected = ((mean - other_mean) ** 2).sum()
    expected += np.trace(one + other - 2 * root_by_newton(one @ other))
    assert frechet_distance(mean, other_mean, one, other) == pytest.approx(expected, rel=1e-5)
    assert frechet_distance(other_mean, mean, other, one) == pytest.approx(expected, rel=1e-5)


def test_closed_forms() -> None:
    deviations, others = np.array([1.0, 2.0, 0.0]), np.array([3.0, 0.5, 0.1])
    zeros, ones = np.zeros(3), np.ones(3)
    independent = frechet_distance(zeros, ones, np.diag(deviations**2), np.diag(others**2))
    assert independent == pytest.approx(3 + ((deviations - others) ** 2).sum())
    same = covariance(80, 0)
    assert frechet_distance(np.ones(80), np.ones(80), same, same) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(zeros, zeros, np.zeros((3, 3)), np.eye(3)) == pytest.approx(3)


def made(output: np.ndarray, reference: np.ndarray) -> Frames:
    """Reduce frames ``[frames, D]`` of a small ``D`` to what is kept of an utterance."""
    moments = np.zeros((2, DIMENSIONS + DIMENSIONS * (DIMENSIONS + 1) // 2), np.float32)
    for row, frames in zip(moments, (output, reference), strict=True):
        padded = np.zeros((len(frames), DIMENSIONS))
        padded[:, : frames.shape[1]] = frames
        row[:DIMENSIONS] = padded.mean(0)
        row[DIMENSIONS:] = np.cov(padded.T, bias=True)[np.triu_indices(DIMENSIONS)]
    return Frames("", "model", 24000, moments, None)


def added(frames: Iterable[Frames]) -> SetMoments:
    moments = SetMoments()
    for one in frames:
        moments.add(one)
    return moments


def test_a_set_is_its_utterances_together() -> None:
    random = np.random.default_rng(0)
    outputs, references = random.normal(size=(2, 5, 50, 4)) * [[1, 2, 3, 4]]
    frames = [made(*pair) for pair in zip(outputs, references, strict=True)]
    whole = [one.reshape(-1, 4) for one in (outputs, references)]
    expected = frechet_distance(
        *(one.mean(0) for one in whole), *(np.cov(one.T, bias=True) for one in whole)
    )
    moments = added(frames)
    assert moments.distance() == pytest.approx(expected, rel=1e-4)
    assert moments.distance(without=frames[2]) == pytest.approx(
        added(frames[:2] + frames[3:]).distance(), rel=1e-6
    )
    alone = added(frames[:1])
    assert alone.value(frames[0]) == alone.distance()
    rest = [added(frames[:at] + frames[at + 1 :]).distance() for at in range(5)]
    jackknife = [5 * moments.distance() - 4 * one for one in rest]
    assert [moments.value(one) for one in frames] == pytest.approx(jackknife, rel=1e-5)


def voices(count: int, seed: int) -> list[Frames]:
    """Utterances of frames in four dimensions, that differ in their mean and in how dull they are.

    Each output is smoother than its reference by 0.85 on average, and off by 0.2.
    """
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        frames = int(random.integers(30, 200))
        centre = 0.5 * random.normal(size=4)
        reference = random.normal(size=(frames, 4)) * np.exp(0.2 * random.normal()) + centre
        dull = 1 - 0.15 * np.exp(0.3 * random.normal())
        output = dull * (reference - centre) + centre + 0.2 + 0.1 * random.normal(size=4)
        found.append(made(output, reference))
    return found


def test_intervals_hold_the_distance_of_a_large_set() -> None:
    truth = added(frame for seed in range(20) for frame in voices(50, 10_000 + seed)).distance()
    trials, held, means = 50, 0, []
    for trial in range(trials):
        frames = voices(16, trial)
        moments = added(frames)
        values = np.array([[moments.value(one)] for one in frames])
        bootstrap = Bootstrap()
        weights = np.stack([resample_weights(16 * trial + number) for number in range(16)])
        bootstrap.add(weights, values, np.ones_like(values))
        (found,) = bootstrap.estimates()
        assert found.ci_low is not None
        assert found.ci_high is not None
        held += found.ci_low <= truth <= found.ci_high
        means.append(values.mean())
    assert np.mean(means) == pytest.approx(truth, rel=0.05), "the size of the set does not matter"
    assert held / trials >= 0.86


def kept(output: torch.Tensor, reference: torch.Tensor, rate: int) -> Frames:
    return frames_of("a", "model", Pair.of(output, reference, rate), patches=False)


@pytest.mark.parametrize("rate", [24000, 48000])
def test_what_is_kept_is_that_of_frames_taken_by_hand(rate: int) -> None:
    audio = breathy(1, rate).double().numpy()
    size = 1024 if rate == 24000 else 2048
    padded = np.pad(audio, size // 2, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    framed = np.lib.stride_tricks.sliding_window_view(padded, size)[:: size // 4] * window
    power = np.abs(np.fft.rfft(framed)) ** 2
    floor = 1e-5 * power.mean()
    frequencies = np.fft.rfftfreq(size, 1 / rate)
    top = 2595 * np.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, BANDS + 2) / 2595) - 1)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (frequencies - low) / (centre - low), (high - frequencies) / (high - centre)
    levels = np.log10(np.maximum(power @ np.maximum(0, np.minimum(rising, falling)).T, floor))
    levels = levels.T - np.log10(floor)
    expected = np.concatenate([levels[:, 1:-1], levels[:, 2:] - levels[:, :-2]])
    signal = torch.from_numpy(audio).float()
    found = kept(signal, signal, rate)
    assert found.means()[0] == pytest.approx(expected.mean(1), abs=2e-3)
    assert found.covariances()[1] == pytest.approx(np.cov(expected, bias=True), abs=2e-3)
    assert (found.means()[0] == found.means()[1]).all()


def must_see(references: list[torch.Tensor], rate: int) -> None:
    assert added(kept(one, one, rate) for one in references).distance() == pytest.approx(
        0, abs=1e-3
    )
    others = added(
        kept(one, other, rate) for one, other in zip(references[::2], references[1::2], strict=True)
    )
    for name, spoil in WAYS.items():
        spoiled = added(kept(spoil(one, rate), one, rate) for one in references)
        assert spoiled.distance() > 1, name
    assert others.distance() < 40


@pytest.mark.parametrize("rate", [24000, 48000])
def test_low_pass_noise_smearing_and_buzz_are_seen(rate: int) -> None:
    must_see([breathy(1.5, rate, seed) for seed in range(6)], rate)


@pytest.mark.speech
def test_low_pass_noise_smearing_and_buzz_are_seen_in_speech(speech: Path) -> None:
    files = sorted((speech / "nathalie" / "val").glob("*.flac"))[:6]
    must_see([read_mono(file)[0] for file in files], 48000)


def test_what_is_too_short_says_why() -> None:
    short = breathy(1, 24000)[8000:8600]
    with pytest.raises(NoValue, match="fewer than 5 frames"):
        kept(short, short, 24000)
    with pytest.raises(NoValue, match="the output is silent"):
        kept(torch.zeros(24000), breathy(1, 24000), 24000)
