"""What the resampler lets through: all of the band that both rates have, and nothing else."""

import math

import pytest
import torch

from snac_model.audio.reading import resample

PAIRS = [(24_000, 48_000), (48_000, 24_000), (44_100, 24_000), (16_000, 24_000), (96_000, 48_000)]


def level_db(audio: torch.Tensor, rate: int, frequency: float) -> float:
    """Return the level of one frequency in dB of a full-scale sine, ends left out."""
    middle = audio[len(audio) // 4 : -len(audio) // 4].double()
    window = torch.hann_window(len(middle), dtype=torch.float64)
    turns = 2 * math.pi * frequency / rate * torch.arange(len(middle), dtype=torch.float64)
    amplitude = (middle * window * torch.polar(torch.ones_like(turns), -turns)).sum().abs()
    return 20 * math.log10(max(amplitude.item() / (window.sum().item() / 2), 1e-12))


def tone(frequency: float, rate: int) -> torch.Tensor:
    """Return a second of a full-scale sine."""
    time = torch.arange(rate, dtype=torch.float64) / rate
    return torch.sin(2 * math.pi * frequency * time).float()


@pytest.mark.parametrize(("from_rate", "to_rate"), PAIRS)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.8, 11 / 12])
def test_the_common_band_passes_as_it_is(from_rate: int, to_rate: int, share: float) -> None:
    frequency = share * min(from_rate, to_rate) / 2
    resampled = resample(tone(frequency, from_rate), from_rate, to_rate)
    assert abs(level_db(resampled, to_rate, frequency)) < 0.1


@pytest.mark.parametrize("above", [12_500, 13_000, 14_000, 18_000, 23_000])
def test_no_images_are_above_the_lower_band(above: int) -> None:
    """A tone at 11 kHz must not be heard at 13 kHz too, once it is at 48 kHz."""
    resampled = resample(tone(24_000 - above, 24_000), 24_000, 48_000)
    assert level_db(resampled, 48_000, above) < -70


@pytest.mark.parametrize("from_rate", [48_000, 44_100])
@pytest.mark.parametrize("above", [12_500, 13_000, 14_000, 18_000, 21_000])
def test_nothing_folds_over_into_the_lower_band(from_rate: int, above: int) -> None:
    """A tone at 13 kHz must not be heard at 11 kHz in what the encoder is given."""
    resampled = resample(tone(above, from_rate), from_rate, 24_000)
    assert level_db(resampled, 24_000, 24_000 - above) < -70
