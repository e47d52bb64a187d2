"""Under autocast the trunk alone is rounded: heads, which make the audio, compute in float32."""

from pathlib import Path

import numpy as np
import pytest
import torch
from models import NARROW, codes, seeded

from snac_model import DualHeadSNAC, SeededNoise, load
from snac_model.audio.reading import read_mono, resample
from snac_model.codec.dual_head import double_rate
from snac_model.codec.snac import SNAC
from snac_model.layers.noise import no_noise

BANDS_HZ = ((0, 4_000), (4_000, 8_000), (8_000, 12_000))
LARGEST_ERROR_DB = -20  # of the signal in the same band; rounded audio has 0 above 8 kHz


def voice(seconds: float = 2.0, rate: int = 24_000) -> torch.Tensor:
    """Return ``[1, 1, T]``: harmonics that fall off as those of a voice, up to 12 kHz."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(150 + 30 * np.sin(2 * np.pi * 3 * time)) / rate
    waves = [np.sin(number * phase) / number**2 for number in range(1, 66)]
    return torch.from_numpy(0.2 * np.sum(waves, axis=0)).float()[None, None]


def spoken(speech: Path) -> list[torch.Tensor]:
    """Return an utterance at 24 kHz, ``[1, 1, T]``, quiet above 8 kHz: -59 dB of the whole."""
    read = map(read_mono, sorted((speech / "kerstin" / "val").glob("*.flac"))[:1])
    return [resample(audio, rate, 24_000)[None, None] for audio, rate in read]


@torch.no_grad()
def error_by_band(model: SNAC, audio: torch.Tensor) -> list[float]:
    """Return how loud the error of decoding under autocast is in each band, in dB of the band."""
    latents = model.quantizer.from_codes(model.encode(audio))
    exact = model.decode_latents(latents, SeededNoise(1))[24_000][0, 0]
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model.decode_latents(latents, SeededNoise(1))[24_000][0, 0]
    power, error = (torch.fft.rfft(x.double()).abs().square() for x in (exact, rounded - exact))
    hertz = torch.fft.rfftfreq(len(exact), 1 / 24_000)
    inside = [(hertz >= low) & (hertz < high) for low, high in BANDS_HZ]
    return [float(10 * torch.log10(error[band].sum() / power[band].sum())) for band in inside]


def test_the_error_of_a_voice_is_small_in_every_band() -> None:
    assert max(error_by_band(load("builtin:speech-small"), voice())) < LARGEST_ERROR_DB


@pytest.mark.speech
def test_the_error_of_real_speech_is_small_in_every_band(speech: Path) -> None:
    model = load("builtin:speech-small")
    for audio in spoken(speech):
        assert max(error_by_band(model, audio)) < LARGEST_ERROR_DB


@pytest.mark.parametrize("make", [lambda base: base, DualHeadSNAC.from_base, double_rate])
@torch.no_grad()
def test_each_head_makes_of_the_trunks_features_what_it_makes_in_float32(make: object) -> None:
    model: SNAC = make(seeded(NARROW["24k"]))  # type: ignore[operator]
    latents = model.quantizer.from_codes(codes(model, 4, batch=2))
    with torch.autocast("cpu", torch.bfloat16):
        features = model.decoder.features(latents, no_noise).values
        decoded = model.decode_latents(latents, no_noise)
    for rate, head in model.heads.items():
        assert decoded[rate].equal(head(features.float(), no_noise))


@torch.no_grad()
def test_a_model_that_is_all_in_half_precision_stays_so() -> None:
    model = seeded(NARROW["24k"]).bfloat16()
    latents = model.quantizer.from_codes(codes(model, 2))
    assert model.decode_latents(latents, no_noise)[24_000].dtype == torch.bfloat16
