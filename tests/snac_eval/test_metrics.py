"""Every metric against a closed form, or against a computation of its own."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snac_eval.metrics.pairs import NoValue, Pair
from snac_eval.metrics.spectral import (
    log_spectral_distance,
    mel_distance,
    split_log_spectral_distance,
)
from snac_eval.metrics.waveform import clipping, length_difference, level_difference, si_sdr

RATE = 48000


def noise(seed: int = 0, seconds: float = 1.0) -> torch.Tensor:
    return 0.1 * torch.randn(round(RATE * seconds), generator=torch.Generator().manual_seed(seed))


def pair(output: torch.Tensor, reference: torch.Tensor) -> Pair:
    return Pair.of(output, reference, RATE)


def split(of: Pair) -> dict[str, float]:
    return split_log_spectral_distance(of, 12000)


def power(audio: torch.Tensor) -> np.ndarray:
    """The spectrogram without torch: frames of a periodic Hann window, reflected at the ends."""
    padded = np.pad(audio.double().numpy(), 1024, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, 2048)[::512]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2048) / 2048)
    return np.abs(np.fft.rfft(frames * window)) ** 2


@given(st.integers(0, 100), st.floats(0.05, 0.5))
@settings(max_examples=20)
def test_log_spectral_distance_is_the_published_one(seed: int, seconds: float) -> None:
    reference, output = noise(seed, seconds), noise(seed + 1, seconds)
    output[: len(output) // 2] *= 1e-7  # where the floor is what counts
    logs = [np.log10(np.maximum(power(audio), 1e-8)) for audio in (output, reference)]
    squared = (logs[0] - logs[1]) ** 2
    found = split(pair(output, reference))
    below = np.fft.rfftfreq(2048, 1 / RATE) < 12000
    for name, bins in (("lsd", slice(None)), ("lsd_below", below), ("lsd_above", ~below)):
        assert found[name] == pytest.approx(np.sqrt(squared[:, bins].mean(1)).mean(), rel=1e-3)
    assert log_spectral_distance(pair(output, reference))["lsd"] == found["lsd"]


@given(st.floats(-30, 30))
def test_a_gain_is_seen_by_what_measures_level_alone(gain_db: float) -> None:
    gain = 10 ** (gain_db / 20)
    louder = pair(gain * noise(), noise())
    assert level_difference(louder) == pytest.approx(gain_db, abs=1e-4)
    for value in split(louder).values():
        assert value == pytest.approx(abs(gain_db) / 10, abs=1e-3)
    assert mel_distance(louder) == pytest.approx(abs(gain_db) / 20, abs=1e-3)
    with pytest.raises(NoValue, match="up to a gain"):
        si_sdr(louder)


@given(st.floats(-20, 60), st.floats(0.1, 10))
def test_si_sdr_of_noise_at_a_known_ratio(ratio_db: float, gain: float) -> None:
    reference, error = noise(0).double(), noise(1).double()
    error -= reference * (error @ reference) / (reference @ reference)
    error *= reference.norm() / error.norm() * 10 ** (-ratio_db / 20)
    found = si_sdr(pair((gain * (reference + error)).float(), reference.float()))
    assert found == pytest.approx(ratio_db, abs=1e-2)


def test_a_band_cut_at_12_khz_is_seen_above_it() -> None:
    spectrum = torch.fft.rfft(noise())
    spectrum[torch.fft.rfftfreq(RATE, 1 / RATE) >= 12000] = 0
    cut = pair(torch.fft.irfft(spectrum, RATE), noise())
    found = split(cut)
    assert found["lsd_below"] < 0.15
    assert found["lsd_above"] > 4
    whole = (found["lsd_below"] ** 2 + found["lsd_above"] ** 2) / 2
    assert found["lsd"] == pytest.approx(math.sqrt(whole), rel=0.05)
    assert level_difference(cut) == pytest.approx(10 * math.log10(0.5), abs=0.1)
    assert si_sdr(cut) == pytest.approx(0, abs=0.1)


def test_a_delay_of_one_sample_is_seen_by_the_waveform() -> None:
    late = pair(noise().roll(1), noise())
    assert si_sdr(late) < -20
    assert level_difference(late) == pytest.approx(0, abs=1e-5)
    assert split(late)["lsd"] < 0.2


def test_mel_distance_is_that_of_bands_added_up_by_hand() -> None:
    def mel(hertz: np.ndarray) -> np.ndarray:
        return 2595 * np.log10(1 + hertz / 700)

    frequencies = np.fft.rfftfreq(2048, 1 / RATE)
    edges = 700 * (10 ** (np.linspace(0, mel(np.array(RATE / 2)), 82) / 2595) - 1)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (frequencies - low) / (centre - low), (high - frequencies) / (high - centre)
    bands = np.maximum(0, np.minimum(rising, falling))
    output, reference = (
        np.log10(np.maximum(np.sqrt(power(noise(seed))) @ bands.T, 1e-5)) for seed in (1, 2)
    )
    expected = np.abs(output - reference).mean()
    assert mel_distance(pair(noise(1), noise(2))) == pytest.approx(expected, rel=1e-3)


def test_identical_signals() -> None:
    same = pair(noise(), noise())
    assert set(split(same).values()) == {0.0}
    assert (mel_distance(same), level_difference(same), length_difference(same)) == (0.0, 0.0, 0.0)
    with pytest.raises(NoValue, match="the output is the reference"):
        si_sdr(same)


@pytest.mark.parametrize("metric", [si_sdr, level_difference])
def test_silence_has_no_level(metric: Callable[[Pair], float]) -> None:
    silence = torch.zeros(RATE)
    with pytest.raises(NoValue, match="the reference is silent"):
        metric(pair(noise(), silence))
    with pytest.raises(NoValue, match="the output is silent"):
        metric(pair(silence, noise()))


def test_clipping_is_the_share_of_full_scale() -> None:
    output = torch.tensor([0.0, 0.9, -1.0, 1.0, 0.99998, 0.9999, -0.5, 2.0])
    assert clipping(pair(output, torch.zeros(8))) == 4 / 8


@pytest.mark.parametrize("extra", [-3, 0, 5])
def test_a_length_that_differs_is_said_and_the_rest_compared(extra: int) -> None:
    output = torch.cat([noise(), torch.ones(5)])[: RATE + extra]
    different = pair(output, noise())
    assert length_difference(different) == extra
    assert level_difference(different) == pytest.approx(0, abs=1e-6)


def test_what_cannot_be_compared_says_why() -> None:
    with pytest.raises(NoValue, match="not finite"):
        pair(torch.tensor([0.0, math.nan]), torch.zeros(2))
    with pytest.raises(NoValue, match="empty"):
        pair(torch.zeros(0), torch.zeros(2))
    with pytest.raises(NoValue, match="shorter than 1025"):
        mel_distance(pair(torch.zeros(1024), torch.zeros(1024)))
