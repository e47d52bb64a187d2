"""Reading audio by the sample, and resampling it.

soundfile reads and seeks wav, flac, ogg and mp3 with no system library; torchaudio resamples.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
import torch
import torch.nn.functional as F
from torchaudio.transforms import Resample

from snac_model.audio_header import AudioError, AudioHeader, describe
from snac_model.geometry import resampled_length

RESAMPLE_ZEROS = 6  # torchaudio's lowpass_filter_width: zero crossings to each side

MP3_LEAD_IN = 4 * 1152  # frames; a decoder's first ones after a seek lack what came before them


def read_mono(path: str | Path, start: int = 0, frames: int = -1) -> tuple[torch.Tensor, int]:
    """Read ``frames`` frames from ``start`` (default: all), channels averaged.

    Returns:
        float32 ``[T]`` and the file's sample rate. T is less than asked for at the file's end.

    Raises:
        AudioError: ``unreadable``, also where the file holds less than its header promises; or
            ``non_finite`` where a sample is NaN or infinite.
    """
    audio, header = read_with_header(path, start, frames)
    return audio, header.sample_rate


def read_with_header(
    path: str | Path, start: int = 0, frames: int = -1
) -> tuple[torch.Tensor, AudioHeader]:
    """Read like ``read_mono``, and return the whole header: the file is opened once."""
    try:
        with soundfile.SoundFile(str(path)) as file:
            header = AudioHeader(file.samplerate, file.channels, file.frames)
            samples = _read_frames(file, start, frames)
    except (OSError, soundfile.LibsndfileError, RuntimeError) as error:
        reason = describe(error) if Path(path).exists() else "there is no such file"
        raise AudioError("unreadable", reason) from error
    if not np.isfinite(samples).all():
        raise AudioError("non_finite", "the audio holds NaN or infinite samples")
    mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    return torch.from_numpy(np.ascontiguousarray(mono)), header


def _read_frames(file: soundfile.SoundFile, start: int, frames: int) -> np.ndarray:
    """Read ``[T, channels]``, and all of it: libsndfile says nothing when a file ends early."""
    promised = file.frames - start
    if promised < 0:
        raise AudioError("unreadable", f"it has {file.frames} frames, none from {start} on")
    wanted = promised if frames < 0 else min(frames, promised)
    lead_in = min(start, MP3_LEAD_IN) if file.format == "MP3" else 0
    file.seek(start - lead_in)
    samples = file.read(lead_in + wanted, dtype="float32", always_2d=True)[lead_in:]
    if len(samples) < wanted:
        raise AudioError("unreadable", f"cut short: {len(samples)} of {wanted} frames can be read")
    return samples


def resample(audio: torch.Tensor, from_rate: int, to_rate: int) -> torch.Tensor:
    """Resample ``[..., T]`` to ``[..., ceil(T * to_rate / from_rate)]`` with a windowed sinc."""
    if from_rate == to_rate:
        return audio
    length = resampled_length(audio.shape[-1], from_rate, to_rate)
    # torchaudio works its length out in float32, which falls short in files of minutes; 10 ms of
    # spare silence, which it would see there anyway, makes up for that.
    padded = F.pad(audio, (0, from_rate // 100))
    return _resampler(from_rate, to_rate, audio.device)(padded)[..., :length]


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
