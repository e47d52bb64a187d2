"""Sharpness against closed forms and a computation of its own, and what it must see."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spoiled import WAYS, breathy
from syllables import syllables

from snac_eval.metrics.pairs import NoValue, Pair
from snac_eval.metrics.sharpness import band_name, bands, sharpness, sharpness_names
from snac_eval.statistics.catalogue import OTHER, REALISM, definition, kind
from snac_model.audio.reading import read_mono

RAYLEIGH_VARIANCE = (10 / math.log(10)) ** 2 * math.pi**2 / 6  # of noise's levels in dB^2


def noise(rate: int, seconds: float = 4.0, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(round(rate * seconds), generator=torch.Generator().manual_seed(seed))


def modulated(rate: int, depth_db: float, seed: int = 0) -> torch.Tensor:
    """Noise that is by ``depth_db`` louder, then softer, for half a second each."""
    audio = noise(rate, 8.0, seed)
    halves = (torch.arange(len(audio)) * 2 // rate) % 2
    return audio * 10 ** ((2 * halves - 1) * depth_db / 20)


def measured(output: torch.Tensor, reference: torch.Tensor, rate: int) -> dict[str, float | str]:
    return sharpness(Pair.of(output, reference, rate))


@pytest.mark.parametrize("rate", [24000, 48000])
@pytest.mark.parametrize(("output_db", "reference_db"), [(0, 8), (4, 8), (8, 8), (10, 5)])
def test_noise_of_known_depths(rate: int, output_db: float, reference_db: float) -> None:
    found = measured(modulated(rate, output_db, 1), modulated(rate, reference_db, 2), rate)
    ratio = math.sqrt((RAYLEIGH_VARIANCE + output_db**2) / (RAYLEIGH_VARIANCE + reference_db**2))
    assert tuple(found) == sharpness_names(rate)
    for name, value in found.items():
        expected = abs(math.log(ratio)) if name == "sharpness_error" else ratio
        assert value == pytest.approx(expected, abs=0.03), name


@given(st.integers(0, 50), st.sampled_from([24000, 44100, 48000]))
@settings(max_examples=10)
def test_it_is_that_of_frames_taken_by_hand(seed: int, rate: int) -> None:
    reference, output = syllables(1.2, rate, seed), syllables(1.2, rate, seed + 1)
    size = 1024 if rate == 24000 else 2048

    def power(audio: np.ndarray) -> np.ndarray:
        padded = np.pad(audio.astype(np.float64), size // 2, mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, size)[:: size // 4]
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
        return np.abs(np.fft.rfft(frames * window)) ** 2

    powers = [power(output), power(reference)]
    loud = powers[1].sum(1) > 1e-4 * powers[1].sum(1).max()
    floor = 1e-5 * powers[1][loud].mean()
    levels = [10 * np.log10(np.maximum(one[loud], floor)) for one in powers]
    frequencies = np.fft.rfftfreq(size, 1 / rate)
    found = measured(torch.from_numpy(output), torch.from_numpy(reference), rate)
    logs = []
    for low, high in bands(rate):
        inside = (frequencies >= low) & ((frequencies < high) | (high == rate // 2))
        value = found[band_name(low, high)]
        if (powers[1][loud][:, inside] > floor).mean() < 0.1:
            assert isinstance(value, str)
            continue
        output_deviation, wanted = (np.sqrt(one[:, inside].var(0).mean()) for one in levels)
        expected = max(output_deviation / wanted, 0.1)
        assert value == pytest.approx(expected, rel=1e-3)
        logs.append(np.log(expected))
    assert found["sharpness"] == pytest.approx(np.exp(np.mean(logs)), rel=1e-3)
    assert found["sharpness_error"] == pytest.approx(np.mean(np.abs(logs)), abs=1e-3)


def must_see(reference: torch.Tensor, rate: int) -> None:
    same = measured(reference, reference, rate)
    assert (same["sharpness_error"], same["sharpness"]) == (0, 1)
    for name, spoil in WAYS.items():
        found = measured(spoil(reference, rate), reference, rate)
        error, ratio = found["sharpness_error"], found["sharpness"]
        assert isinstance(error, float)
        assert isinstance(ratio, float)
        assert error > 0.05, name
        assert ratio < 0.95, name


@pytest.mark.parametrize("rate", [24000, 48000])
def test_low_pass_noise_smearing_and_buzz_are_seen(rate: int) -> None:
    must_see(breathy(3, rate), rate)


@pytest.mark.speech
def test_low_pass_noise_smearing_and_buzz_are_seen_in_speech(speech: Path) -> None:
    must_see(*read_mono(sorted((speech / "nathalie" / "val").glob("*.flac"))[0]))


def test_a_dull_band_is_not_made_up_for_by_a_sharp_one() -> None:
    def of_bands(low_db: float, high_db: float) -> torch.Tensor:
        parts = [torch.fft.rfft(modulated(24000, depth, 3)) for depth in (low_db, high_db)]
        half = len(parts[0]) // 6  # 2 kHz
        return torch.fft.irfft(torch.cat([parts[0][:half], parts[1][half:]]), n=8 * 24000)

    found = measured(of_bands(3, 10), of_bands(6, 6), 24000)
    low, high = found["sharpness_1000_2000"], found["sharpness_8000_12000"]
    error, ratio = found["sharpness_error"], found["sharpness"]
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert isinstance(error, float)
    assert isinstance(ratio, float)
    assert low < 0.85
    assert high > 1.25
    assert error > abs(math.log(ratio)) + 0.05


@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_silence_and_level_decide_little(gain: float) -> None:
    reference, output = (torch.from_numpy(syllables(3, 24000, seed)) for seed in (1, 2))
    plain = measured(output, reference, 24000)
    silence = torch.zeros(3 * 24000)
    padded = measured(torch.cat([output, silence]), torch.cat([reference, silence]), 24000)
    assert padded["sharpness"] == pytest.approx(plain["sharpness"], rel=0.02)
    louder = measured(gain * output, reference, 24000)
    assert louder["sharpness"] == pytest.approx(plain["sharpness"], rel=0.15)
    both = measured(gain * output, gain * reference, 24000)
    assert both["sharpness"] == pytest.approx(plain["sharpness"], rel=1e-4)


def test_a_band_in_which_the_recording_has_nothing_has_no_value() -> None:
    spectrum = torch.fft.rfft(modulated(48000, 8))
    spectrum[len(spectrum) // 3 :] *= 1e-5  # from 8 kHz
    narrow = torch.fft.irfft(spectrum)
    found = measured(modulated(48000, 8, 5), narrow, 48000)
    for name in ("sharpness_8000_12000", "sharpness_16000_24000"):
        assert found[name] == "the reference is below the floor of -50 dB there"
    assert found["sharpness"] == pytest.approx(1, abs=0.05)


def test_what_cannot_be_measured_says_why() -> None:
    silence, short = torch.zeros(24000), noise(24000, 0.05)
    with pytest.raises(NoValue, match="the reference is silent"):
        measured(noise(24000), silence, 24000)
    with pytest.raises(NoValue, match="fewer than 8 frames"):
        measured(short, short, 24000)
    with pytest.raises(NoValue, match="shorter than 513 samples"):
        measured(short[:512], short[:512], 24000)
    constant = torch.full((48000,), 0.1)
    found = measured(constant, modulated(24000, 8)[:48000], 24000)
    assert found["sharpness_4000_8000"] == 0.1, "and no less"


def test_only_the_error_has_a_better() -> None:
    assert [kind(name).better for name in ("sharpness_error", "sharpness")] == [-1, 0]
    assert kind("sharpness").group == REALISM
    assert kind("sharpness_8000_12000").title == "sharpness 8 to 12 kHz"
    assert (kind("sharpness_0_1000").group, kind("sharpness_0_1000").better) == (OTHER, 0)
    assert [definition(name) for name in ("sharpness_0_1000", "sharpness_error", "stft_1024")] == [
        "sharpness",
        "sharpness_error",
        "stft",
    ]
