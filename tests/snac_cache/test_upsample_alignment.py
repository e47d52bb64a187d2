"""The alignment proof: what it measures is so, and what it corrects is exact."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from syllables import syllables

from snac_cache.targets.alignment import Alignment, common_band, measure
from snac_cache.targets.correction import correct_target, shift, target_length
from snac_model.audio.header import AudioError
from snac_model.audio.reading import resample

BAND = common_band(48000)
SOURCE = torch.from_numpy(syllables(1.5, 48000))
MAX_LAG = 960

lags = st.integers(-MAX_LAG, MAX_LAG)
gains = st.floats(-40, 20).map(lambda decibels: 10 ** (decibels / 20))
polarities = st.sampled_from([1, -1])


def found(source: torch.Tensor, target: torch.Tensor) -> Alignment:
    """Measure what must be measurable."""
    alignment = measure(source, target, BAND)
    assert alignment is not None
    return alignment


def new_phases(audio: torch.Tensor, seed: int) -> torch.Tensor:
    """Return the same sounds with other phases: short-time phases are replaced by random ones."""
    window = torch.hann_window(240)
    spectrum = torch.stft(audio, 240, 60, window=window, return_complex=True)
    random = torch.Generator().manual_seed(seed)
    angle = 2 * torch.pi * torch.rand(spectrum.shape[0], 1, generator=random)
    turned = torch.polar(spectrum.abs(), spectrum.angle() + angle)
    return torch.istft(turned, 240, 60, window=window, length=len(audio))


@settings(max_examples=25)
@given(lag=lags, gain=gains, polarity=polarities)
def test_a_known_lag_and_gain_are_found(lag: int, gain: float, polarity: int) -> None:
    target = polarity * gain * shift(SOURCE, -lag, len(SOURCE) + MAX_LAG)
    alignment = found(SOURCE, target)
    assert alignment.lag == lag
    assert alignment.tolerance == 1
    assert alignment.gain == pytest.approx(polarity * gain, rel=0.01)


@settings(max_examples=15)
@given(lag=lags, seed=st.integers(0, 99))
def test_noise_does_not_move_the_lag(lag: int, seed: int) -> None:
    noise = torch.randn(len(SOURCE), generator=torch.Generator().manual_seed(seed))
    target = shift(SOURCE, -lag, len(SOURCE)) + 0.1 * SOURCE.std() * noise
    assert found(SOURCE, target).lag == lag


@settings(max_examples=10)
@given(lag=lags, seed=st.integers(0, 99))
def test_sounds_with_new_phases_are_found_by_their_envelopes(lag: int, seed: int) -> None:
    alignment = found(SOURCE, shift(new_phases(SOURCE, seed), -lag, len(SOURCE)))
    assert alignment.tolerance > 1
    assert abs(alignment.lag - lag) <= alignment.tolerance


@settings(max_examples=10)
@given(seed=st.integers(1, 999))
def test_other_audio_is_not_taken_for_the_source(seed: int) -> None:
    assert measure(SOURCE, torch.from_numpy(syllables(1.5, 48000, seed)), BAND) is None


@pytest.mark.parametrize("which", ["source", "target"])
def test_silence_proves_nothing(which: str) -> None:
    silence = torch.zeros_like(SOURCE)
    pair = (silence, SOURCE) if which == "source" else (SOURCE, silence)
    assert measure(*pair, BAND) is None


@settings(max_examples=15)
@given(
    lag=lags,
    gain=gains,
    polarity=polarities,
    rate=st.sampled_from([8000, 16000, 22050, 24000, 44100]),
)
def test_the_correction_is_exact(lag: int, gain: float, polarity: int, rate: int) -> None:
    source = torch.from_numpy(syllables(1.0, rate))[:-1]
    reference = resample(source, rate, 48000)

    made = polarity * gain * shift(reference, -lag, len(reference) + MAX_LAG)
    target, alignment, clipped = correct_target(source, rate, made, MAX_LAG)
    assert len(target) == target_length(len(source), rate) == len(reference)
    assert alignment.lag == lag
    assert clipped == 0
    inside = slice(MAX_LAG, -MAX_LAG)
    tolerance = 0.01 * float(reference.abs().max())
    np.testing.assert_allclose(target[inside], reference[inside], rtol=0, atol=tolerance)


@pytest.mark.parametrize("lag", [MAX_LAG + 1, -MAX_LAG - 1, 4800])
def test_a_lag_beyond_the_limit_is_rejected(lag: int) -> None:
    with pytest.raises(
        AudioError, match=f"{abs(lag)} samples {'early' if lag < 0 else 'late'}"
    ) as caught:
        correct_target(SOURCE, 48000, shift(SOURCE, -lag, len(SOURCE)), MAX_LAG)
    assert caught.value.reason == "misaligned_target"


def test_what_lies_beyond_full_scale_is_cut_and_counted() -> None:
    source = 0.99 * SOURCE / SOURCE.abs().max()
    click = torch.zeros_like(source)
    click[30_000:30_020:2], click[30_001:30_021:2] = 3.0, -3.0  # 24 kHz, above the common band
    target, _, clipped = correct_target(source, 48000, source + click, MAX_LAG)
    assert clipped == 20
    assert float(target.abs().max()) == 1.0


def test_a_target_that_clipping_changes_is_rejected() -> None:
    """Where much lies beyond full scale, cutting it makes a target quieter than its source."""
    whistle = 1.0 * torch.sin(2 * torch.pi * 15_000 / 48_000 * torch.arange(len(SOURCE)))
    with pytest.raises(AudioError, match="dB too quiet"):
        correct_target(SOURCE, 48000, SOURCE + whistle, MAX_LAG)
