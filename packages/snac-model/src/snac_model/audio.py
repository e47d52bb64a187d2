"""Reading audio by the sample, and resampling it.

soundfile reads and seeks wav, flac, ogg and mp3 with no system library; torchaudio resamples.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
import torch
from torchaudio.transforms import Resample

from snac_model.audio_header import AudioError, describe

RESAMPLE_ZEROS = 6  # torchaudio's lowpass_filter_width: zero crossings to each side


def read_mono(path: str | Path, start: int = 0, frames: int = -1) -> tuple[torch.Tensor, int]:
    """Read ``frames`` frames from ``start`` (default: all), channels averaged.

    Returns:
        float32 ``[T]`` and the file's sample rate. T is less than asked for at the file's end.

    Raises:
        AudioError: ``unreadable``, or ``non_finite`` where a sample is NaN or infinite.
    """
    try:
        with soundfile.SoundFile(str(path)) as file:
            file.seek(start)
            samples = file.read(frames, dtype="float32", always_2d=True)
            rate = file.samplerate
    except (OSError, soundfile.LibsndfileError, RuntimeError) as error:
        raise AudioError("unreadable", describe(error)) from error
    if not np.isfinite(samples).all():
        raise AudioError("non_finite", "the audio holds NaN or infinite samples")
    mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    return torch.from_numpy(np.ascontiguousarray(mono)), rate


def resample(audio: torch.Tensor, from_rate: int, to_rate: int) -> torch.Tensor:
    """Resample ``[..., T]`` to ``[..., ceil(T * to_rate / from_rate)]`` with a windowed sinc."""
    if from_rate == to_rate:
        return audio
    return _resampler(from_rate, to_rate, audio.device)(audio)


def resample_margin(from_rate: int, to_rate: int) -> int:
    """Samples at ``from_rate`` beside a slice, each side, that its resampled samples depend on."""
    return (
        _resampler(from_rate, to_rate, torch.device("cpu")).width + 1
        if (from_rate != to_rate)
        else 0
    )


@lru_cache(maxsize=64)
def _resampler(from_rate: int, to_rate: int, device: torch.device) -> Resample:
    return Resample(from_rate, to_rate, lowpass_filter_width=RESAMPLE_ZEROS).to(device)
