"""What can be known of an audio file without decoding it; free of torch."""

from dataclasses import dataclass
from pathlib import Path

import soundfile

from snac_model.errors import Failure


class AudioError(Failure):
    """A file that cannot be used as audio; ``reason`` is the short code for the rejects."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class AudioHeader:
    """What a file's header says."""

    sample_rate: int
    channels: int
    num_frames: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.num_frames / self.sample_rate


def read_header(path: str | Path) -> AudioHeader:
    """Read a header.

    Raises:
        AudioError: ``empty`` for a file without bytes or frames, else ``unreadable``.
    """
    try:
        if Path(path).stat().st_size == 0:
            raise AudioError("empty", "the file has no bytes")
        info = soundfile.info(str(path))
    except (OSError, soundfile.LibsndfileError, RuntimeError) as error:
        raise AudioError("unreadable", describe(error)) from error
    if info.frames <= 0:
        raise AudioError("empty", "the file holds no audio frames")
    return AudioHeader(info.samplerate, info.channels, info.frames)


def describe(error: Exception) -> str:
    """Say what libsndfile or the system said, without the path, which stands beside it."""
    text = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split())
