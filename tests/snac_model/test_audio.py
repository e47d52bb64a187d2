"""Reading audio by the sample, refusing what is not audio, and resampling slices."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snac_model.audio.header import AudioError, AudioHeader, read_header
from snac_model.audio.reading import read_mono, resample
from snac_model.audio.sinc_kernel import resample_margin

RATE = 48_000
FORMATS = ["wav", "flac", "ogg", "mp3"]
SLICE_RATES = [8000, 16000, 22050, 32000, 44100, 48000, 96000, 128000]


def stereo(num_frames: int = 30_000) -> np.ndarray:
    """Return two different channels ``[T, 2]``."""
    time = np.arange(num_frames)[:, None] / RATE
    return (0.3 * np.sin(2 * np.pi * np.array([300.0, 1000.0]) * time * (1 + time))).astype("f4")


def write(path: Path, samples: np.ndarray | None = None, rate: int = RATE) -> Path:
    soundfile.write(path, stereo() if samples is None else samples, rate)
    return path


@pytest.mark.parametrize("form", FORMATS)
def test_headers_say_what_is_read(tmp_path: Path, form: str) -> None:
    path = write(tmp_path / f"a.{form}")
    header = read_header(path)
    assert header == AudioHeader(RATE, 2, 30_000)
    assert header.duration_s == 0.625
    samples, rate = read_mono(path)
    assert (samples.dtype, samples.shape, rate) == (torch.float32, (30_000,), RATE)
    error = (samples - torch.from_numpy(stereo().mean(1))).abs().max()
    assert error < {"wav": 2e-4, "flac": 2e-4, "ogg": 0.05, "mp3": 0.05}[form]


@pytest.mark.parametrize("form", FORMATS)
def test_a_slice_is_that_slice_of_the_whole(tmp_path: Path, form: str) -> None:
    path = write(tmp_path / f"a.{form}")
    whole, _ = read_mono(path)
    for start in [*range(0, 28_000, 977), 29_000]:
        part, _ = read_mono(path, start, 1000)
        torch.testing.assert_close(part, whole[start : start + 1000], rtol=0, atol=1e-6)
    assert len(read_mono(path, 29_000, 5000)[0]) == 1000
    assert len(read_mono(path, 29_000)[0]) == 1000
    assert len(read_mono(path, 30_000)[0]) == 0
    with pytest.raises(AudioError, match="it has 30000 frames"):
        read_mono(path, 30_001)


def test_mono_is_read_bit_for_bit(tmp_path: Path) -> None:
    samples = stereo()[:, 0]
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    assert np.array_equal(read_mono(tmp_path / "a.wav")[0].numpy(), samples)


def reason(path: Path) -> str:
    """The reason with which a file is refused, on reading its header and then its samples."""

    def read() -> None:
        read_header(path)
        read_mono(path)

    with pytest.raises(AudioError) as caught:
        read()
    assert str(caught.value) == caught.value.detail != ""
    assert str(path) not in caught.value.detail
    return caught.value.reason


def test_what_is_not_audio_is_refused_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    assert reason(tmp_path / "empty.wav") == "empty"
    assert reason(write(tmp_path / "no_frames.wav", np.zeros((0, 1), "f4"))) == "empty"
    (tmp_path / "text.wav").write_text("this is no audio at all\n" * 100)
    assert reason(tmp_path / "text.wav") == "unreadable"
    assert reason(tmp_path / "missing.wav") == "unreadable"
    (tmp_path / "folder.wav").mkdir()
    assert reason(tmp_path / "folder.wav") == "not_a_file"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(tmp_path: Path, bad: float) -> None:
    samples = stereo()
    samples[20_000, 1] = bad
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    assert reason(tmp_path / "a.wav") == "non_finite"
    assert len(read_mono(tmp_path / "a.wav", 0, 20_000)[0]) == 20_000


@pytest.mark.parametrize("form", ["flac", "mp3"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_file_that_holds_less_than_it_promises_is_refused(
    tmp_path: Path, form: str, kept: float
) -> None:
    path = write(tmp_path / f"a.{form}")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert reason(path) == "unreadable"


@settings(max_examples=40)
@given(st.sampled_from(SLICE_RATES), st.integers(0, 400), st.integers(1, 200))
def test_a_slice_with_its_margin_resamples_like_the_whole(
    rate: int, start: int, length: int
) -> None:
    """In steps of time that are whole samples at both rates, as segments are."""
    divisor = int(np.gcd(rate, 24_000))
    step, step_24k = rate // divisor, 24_000 // divisor
    steps_of_margin = -(-resample_margin(rate, 24_000) // step)
    first, last = max(0, start - steps_of_margin), start + length + steps_of_margin
    whole_steps = start + length + 50
    samples = torch.randn(whole_steps * step, generator=torch.Generator().manual_seed(start))
    whole = resample(samples, rate, 24_000)
    part = resample(samples[first * step : last * step], rate, 24_000)
    inside = part[(start - first) * step_24k : (start - first + length) * step_24k]
    expected = whole[start * step_24k : (start + length) * step_24k]
    torch.testing.assert_close(inside, expected, rtol=0, atol=2e-6)


def test_the_margin_for_48_to_24_khz_is_enough_and_hardly_more() -> None:
    margin = resample_margin(48_000, 24_000)
    samples = torch.randn(4000, generator=torch.Generator().manual_seed(0))
    expected = resample(samples, 48_000, 24_000)[500:1000]

    def inside(samples_beside: int) -> torch.Tensor:
        part = samples[1000 - samples_beside : 2000 + samples_beside]
        return resample(part, 48_000, 24_000)[samples_beside // 2 :][:500]

    torch.testing.assert_close(inside(margin), expected, rtol=0, atol=1e-6)
    assert (inside(margin - 4) - expected).abs().max() > 1e-6
    assert resample_margin(24_000, 24_000) == 0


def test_resampling_keeps_a_tone_and_removes_what_cannot_be_held() -> None:
    time = torch.arange(48_000) / 48_000
    low, high = (torch.sin(2 * torch.pi * frequency * time) for frequency in (1000.0, 20_000.0))
    expected = torch.sin(2 * torch.pi * 1000 * torch.arange(24_000) / 24_000)
    resampled = resample(torch.stack([low, high])[:, None], 48_000, 24_000)
    assert resampled.shape == (2, 1, 24_000)
    assert (resampled[0, 0] - expected)[100:-100].abs().max() < 5e-3
    assert resampled[1, 0, 100:-100].abs().max() < 0.02
    assert resample(low, 48_000, 48_000) is low


@pytest.mark.speech
def test_real_speech_reads_to_its_headers_length(speech: Path) -> None:
    paths = sorted(speech.glob("*/val/**/*.*"))
    assert len(paths) > 80
    for path in paths:
        header = read_header(path)
        samples, rate = read_mono(path)
        assert (len(samples), rate) == (header.num_frames, header.sample_rate)
