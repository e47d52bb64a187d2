"""One target: made, aligned, corrected, proved, written; and the finished one of an earlier run."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import soundfile
import torch
import torch.nn.functional as F

from snac_cache.schema import TARGET_RATE
from snac_cache.targets.alignment import Alignment, common_band, measure
from snac_cache.targets.engines import Engine
from snac_model.audio import resample
from snac_model.audio_header import AudioError
from snac_model.files import atomic_path

GAIN_TOLERANCE_DB = 0.5
MISALIGNED = "misaligned_target"


@dataclass(frozen=True)
class TargetNotes:
    """What was measured of a target before it was corrected; kept in the file's comment.

    Attributes:
        engine: what made it.
        bandwidth_hz: of the source.
        lag_samples: that it was late, at 48 kHz.
        gain_db: that it was too loud.
        clipped_samples: that lay beyond full scale once its gain was right, and were cut there.
    """

    engine: str
    bandwidth_hz: float
    lag_samples: int
    gain_db: float
    clipped_samples: int


def target_length(num_frames: int, sample_rate: int) -> int:
    """Return the samples at 48 kHz that ``num_frames`` at ``sample_rate`` are."""
    return -(-num_frames * TARGET_RATE // sample_rate)


def align_target(
    source: torch.Tensor, sample_rate: int, engine: Engine, max_lag: int
) -> tuple[torch.Tensor, Alignment, int]:
    """Make a target of ``[T]`` and put it where its source is, and as loud.

    Args:
        max_lag: samples at 48 kHz that are corrected.

    Returns:
        The target ``[ceil(T * 48000 / rate)]``, its alignment before the correction, and how many
        samples lay beyond full scale. Those are cut there, as a recorder would: turning the whole
        utterance down would make its gain wrong, and no decoder that ends in tanh says more.

    Raises:
        AudioError: ``misaligned_target``.
    """
    reference = resample(source, sample_rate, TARGET_RATE)
    band = common_band(sample_rate)
    made = engine(source, sample_rate)
    found = _measure(reference, made, band)
    if abs(found.lag) > max_lag:
        raise AudioError(MISALIGNED, f"the target is {found.lag} samples late, limit {max_lag}")
    moved = shift(made, found.lag, len(reference)) / found.gain
    target = moved.clamp(-1, 1)
    left = _measure(reference, target, band)
    if abs(left.lag) > found.tolerance or abs(left.gain_db) > GAIN_TOLERANCE_DB or left.gain < 0:
        detail = (
            f"corrected, it is still {left.lag} samples late and {left.gain_db:.2f} dB too loud"
        )
        raise AudioError(MISALIGNED, detail)
    return target, found, int((target != moved).sum())


def shift(audio: torch.Tensor, lag: int, length: int) -> torch.Tensor:
    """Return ``[length]``: ``[T]`` moved ``lag`` samples earlier, with silence where it ends."""
    early = F.pad(audio, (-lag, 0))
    return F.pad(early, (0, length - len(early)))


def write_target(path: Path, target: torch.Tensor, notes: TargetNotes) -> None:
    """Write a target as 16-bit flac, atomically."""
    with (
        atomic_path(path) as temporary,
        soundfile.SoundFile(temporary, "w", TARGET_RATE, 1, "PCM_16", format="FLAC") as file,
    ):
        file.comment = json.dumps(asdict(notes))
        file.write(target.numpy())


def read_finished(path: Path, length: int, engine: str, max_lag: int) -> TargetNotes | None:
    """Return the notes of a finished target, or None if there is none that can be kept."""
    try:
        with soundfile.SoundFile(path) as file:
            notes = TargetNotes(**json.loads(file.comment))
            whole = (file.samplerate, file.channels, file.frames) == (TARGET_RATE, 1, length)
    except (OSError, soundfile.LibsndfileError, ValueError, TypeError):
        return None
    kept = whole and notes.engine == engine and abs(notes.lag_samples) <= max_lag
    return notes if kept else None


def _measure(reference: torch.Tensor, target: torch.Tensor, band: tuple[float, float]) -> Alignment:
    found = measure(reference, target, band)
    if found is None:
        detail = "nothing tells that target and source are the same audio (or one is silent)"
        raise AudioError(MISALIGNED, detail)
    return found
