"""Reading the utterances of a manifest."""

from typing import Any

import torch

from snac_cache.fingerprint import audio_fingerprint
from snac_model.audio.header import AudioError
from snac_model.audio.reading import read_mono, resample

Row = dict[str, Any]

# A lossy format may overshoot full scale: by 64 % at most in 800 files. Beyond this the level is
# wrong: no target can be cut at full scale and be the same audio, and no codec was trained on it.
MOST_FULL_SCALES = 4.0


def load_utterance(row: Row, sample_rate: int) -> torch.Tensor | AudioError:
    """Read and resample one utterance, ``[T]``; what is wrong with it is returned, not raised."""
    audio = read_utterance(row)
    if isinstance(audio, AudioError):
        return audio
    return resample(audio, row["source_sample_rate"], sample_rate)


def read_utterance(row: Row) -> torch.Tensor | AudioError:
    """Read one utterance, ``[T]`` at its own rate; what is wrong with it is returned, not raised.

    The row gets the fingerprint of what was read, where it has none.
    """
    try:
        check_unchanged(row)
        audio, rate = read_mono(row["audio_path"])
        check_length(row, len(audio), rate)
        check_scale(audio)
    except AudioError as error:
        return error
    return audio


def check_length(row: Row, frames: int, rate: int) -> None:
    """Raise AudioError ``wrong_length`` if that is not what the manifest says of the row."""
    if (frames, rate) != (row["num_frames"], row["source_sample_rate"]):
        detail = (
            f"{frames} frames at {rate} Hz, where its header said {row['num_frames']} at "
            f"{row['source_sample_rate']} Hz: the file is cut short, or was replaced since"
        )
        raise AudioError("wrong_length", detail)


def check_scale(audio: torch.Tensor) -> torch.Tensor:
    """Return audio ``[T]``; raises AudioError ``over_full_scale`` if its level cannot be meant."""
    peak = float(audio.abs().max()) if len(audio) else 0.0
    if peak > MOST_FULL_SCALES:
        detail = f"its samples reach {peak:.1f} times full scale: write it anew at a lower level"
        raise AudioError("over_full_scale", detail)
    return audio


def check_unchanged(row: Row) -> None:
    """Compare a row's audio with what the manifest says; fill in its fingerprint if that is NULL.

    Raises:
        AudioError: ``unreadable``, or ``changed_audio`` for another recording in its place.
    """
    found = audio_fingerprint(row["audio_path"])
    if row["audio_fingerprint"] is None:
        row["audio_fingerprint"] = found
    elif row["audio_fingerprint"] != found:
        raise AudioError(
            "changed_audio",
            "the file was replaced since the manifest was made. Run snac-manifest again.",
        )
