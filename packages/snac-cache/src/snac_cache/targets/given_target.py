"""A file that is meant to be a target: read, proved, and used in place or put right."""

from dataclasses import dataclass
from pathlib import Path

import torch

from snac_cache.schema import TARGET_RATE
from snac_cache.targets.alignment import Alignment
from snac_cache.targets.choice import FILES
from snac_cache.targets.correction import GAIN_TOLERANCE_DB, clip, correct_target, prove_target
from snac_cache.targets.notes import TargetNotes
from snac_model.audio.header import AudioError
from snac_model.audio.reading import read_mono


@dataclass(frozen=True)
class Given:
    """A target made of a file.

    Attributes:
        target: ``[T]`` at 48 kHz, as long as it has to be.
        found: the file against its source.
        in_place: whether the file is the target as it is.
        clipped: samples that were cut at full scale.
    """

    target: torch.Tensor
    found: Alignment
    in_place: bool
    clipped: int

    @property
    def gain_db(self) -> float:
        """How much too loud the file is."""
        return round(self.found.gain_db, 3)

    def notes(self, audio_fingerprint: str, bandwidth_hz: float) -> TargetNotes:
        """Return what the target says of itself, once it is written."""
        said = (FILES, audio_fingerprint, bandwidth_hz, self.found.lag, self.gain_db, self.clipped)
        return TargetNotes(*said)


def take_given(
    source: torch.Tensor, sample_rate: int, path: Path, max_lag: int, *, correct: bool
) -> Given:
    """Read a file and prove that it is a target of its source, ``[T]`` at ``sample_rate``.

    Args:
        max_lag: samples at 48 kHz that it may be too long or too short, and that are corrected.
        correct: correct its lag and gain.

    Raises:
        AudioError: why it is none, with its path.
    """
    try:
        audio, rate = read_mono(path)
        if rate != TARGET_RATE:
            raise AudioError("wrong_rate", f"it is at {rate} Hz, not at {TARGET_RATE} Hz")
        if not correct:
            target, found = prove_target(source, sample_rate, audio, max_lag)
            target, clipped = clip(target)
            return Given(target, found, len(audio) == len(target), clipped)
        target, found, clipped = correct_target(source, sample_rate, audio, max_lag)
        return Given(target, found, len(audio) == len(target) and _is_right(found), clipped)
    except AudioError as error:
        raise AudioError(error.reason, f"{path}: {error.detail}") from error


def _is_right(found: Alignment) -> bool:
    return (
        abs(found.lag) <= found.tolerance
        and found.gain > 0
        and abs(found.gain_db) <= GAIN_TOLERANCE_DB
    )
