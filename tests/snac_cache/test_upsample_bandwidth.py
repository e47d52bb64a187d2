"""Bandwidth: what a recording holds, not what its sample rate promises."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from workplace import run, succeed

from snac_cache.targets.bandwidth import measure_bandwidth
from snac_model.audio.reading import read_mono


def low_passed_noise(cutoff: float, rate: int, seconds: float = 1.0) -> torch.Tensor:
    """Return noise that ends sharply at a frequency."""
    noise = torch.randn(round(seconds * rate), generator=torch.Generator().manual_seed(0))
    spectrum = torch.fft.rfft(noise)
    spectrum[round(cutoff * seconds) :] = 0
    return 0.1 * torch.fft.irfft(spectrum, len(noise))


@settings(max_examples=20)
@given(st.floats(1000, 20000), st.sampled_from([44100, 48000, 96000]), st.floats(-40, 0))
def test_the_edge_of_noise_is_found(cutoff: float, rate: int, level: float) -> None:
    audio = 10 ** (level / 20) * low_passed_noise(cutoff, rate)
    assert measure_bandwidth(audio, rate) == pytest.approx(cutoff, abs=400)


@settings(max_examples=10)
@given(st.floats(-60, -20), st.integers(0, 99))
def test_16_bit_dither_holds_no_energy(level: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    audio = 10 * 10 ** (level / 20) * low_passed_noise(4000, 48000).numpy()
    dither = random.uniform(-0.5, 0.5, (2, len(audio))).sum(axis=0)
    quantised = np.round(audio * 32768 + dither) / 32768
    measured = measure_bandwidth(torch.from_numpy(quantised.astype(np.float32)), 48000)
    assert measured <= 4250


def test_silence_has_none() -> None:
    assert measure_bandwidth(torch.zeros(48000), 48000) == 0
    assert measure_bandwidth(torch.zeros(10), 48000) == 0


def test_full_band_noise_reaches_nyquist() -> None:
    assert measure_bandwidth(0.1 * torch.randn(22050), 22050) == 11025


def test_long_audio_is_measured_in_blocks() -> None:
    """A whistle in the second minute counts."""
    audio = 0.01 * torch.randn(8000 * 61)
    assert measure_bandwidth(low_passed_noise(1000, 8000, 61.0), 8000) <= 1250
    audio[: 8000 * 60] = low_passed_noise(1000, 8000, 60.0)
    assert measure_bandwidth(audio, 8000) > 3500


@pytest.mark.speech
def test_kerstin_is_band_limited_and_nathalie_is_not(speech: Path) -> None:
    def widths(name: str) -> list[float]:
        files = sorted((speech / name / "val").glob("*.flac"))[:12]
        assert {soundfile.info(file).samplerate for file in files} == {48000}
        return [measure_bandwidth(*read_mono(file)) for file in files]

    assert max(widths("kerstin")) < 10_000
    assert min(widths("nathalie")) > 14_000


def scan_and_upsample(tmp_path: Path, low: int, high: int) -> str:
    """Make targets of noise at 48 kHz, some of it up to 7 kHz only; return what is said."""
    for number in range(low + high):
        audio = low_passed_noise(7000 if number < low else 20_000, 48_000)
        (tmp_path / "in").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "in" / f"{number}.wav", audio.numpy(), 48_000)
    succeed("snac_cache.cli.manifest", tmp_path / "in", "--artifacts", tmp_path, "--val-ratio", 0)
    result = run("snac_cache.cli.upsample", "--artifacts", tmp_path, "--device", "cpu")
    assert result.exit_code == 0, result.stderr
    return result.stderr


@pytest.mark.parametrize(("low", "high", "said"), [(3, 0, "3 of 3"), (2, 1, "2 of 3"), (1, 2, "")])
def test_48_khz_files_that_hold_less_are_told_of(
    tmp_path: Path, low: int, high: int, said: str
) -> None:
    told = scan_and_upsample(tmp_path, low, high)
    assert (f"{said} targets hold nothing above 7" in told) == bool(said)
    assert ("48 kHz cannot be learned" in told) == bool(said)
