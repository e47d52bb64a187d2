"""Short-time spectra, for the metrics of spectra and for those of realism."""

import math
from functools import lru_cache

import torch
from torchaudio.transforms import MelScale

from snac_eval.metrics.pairs import NoValue

WINDOW_S = 0.04  # rounded to a power of two: 1,024 samples at 24 kHz, 2,048 at 48 kHz
ACTIVE_DB = 40  # what is softer than the loudest frame by more is silence, as in STOI
FLOOR_DB = 50  # under the mean power


def window_size(rate: int) -> int:
    """Return the samples of a window of realism's metrics, alike in seconds at every rate."""
    return int(2 ** round(math.log2(WINDOW_S * rate)))


def power_spectrogram(audio: torch.Tensor, size: int) -> torch.Tensor:
    """Return the power ``[frequencies, frames]`` of ``[T]``; raises NoValue if it is too short.

    Args:
        size: samples of a Hann window; a hop is a quarter of it.
    """
    if len(audio) <= size // 2:
        raise NoValue(f"shorter than {size // 2 + 1} samples")
    window = _window(size, audio.device)
    spectrum = torch.stft(audio, size, size // 4, window=window, center=True, return_complex=True)
    return spectrum.real.square() + spectrum.imag.square()


def active_frames(power: torch.Tensor) -> torch.Tensor:
    """Say which frames of ``[frequencies, frames]`` are within 40 dB of the loudest."""
    levels = power.mean(0)
    return levels > levels.max() * 10 ** (-ACTIVE_DB / 10)


def floor_of(power: torch.Tensor) -> torch.Tensor:
    """Return what is 50 dB under the mean of ``[frequencies, frames]``."""
    return power.mean() * 10 ** (-FLOOR_DB / 10)


def mel_bands(spectrum: torch.Tensor, rate: int, count: int) -> torch.Tensor:
    """Return ``[count, frames]``, the sums in mel bands of ``[frequencies, frames]``."""
    mel: torch.Tensor = _mel_scale(rate, len(spectrum), count, spectrum.device)(spectrum)
    return mel


@lru_cache(maxsize=8)
def _window(size: int, device: torch.device) -> torch.Tensor:
    return torch.hann_window(size, device=device)


@lru_cache(maxsize=8)
def _mel_scale(rate: int, frequencies: int, count: int, device: torch.device) -> MelScale:
    return MelScale(count, rate, n_stft=frequencies).to(device)
