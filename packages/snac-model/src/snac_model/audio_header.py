"""What can be known of an audio file without decoding it; free of torch."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import soundfile

from snac_common.errors import Failure
from snac_model.header_bounds import is_odd_rate, most_frames


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


class SoundFile(soundfile.SoundFile):
    """A file whose reads go on where the one before stopped.

    soundfile seeks after each read, to where it is. That makes the decoders of MP3, Vorbis and Opus
    begin anew, with other samples, and hides that a file ended early.
    """

    def seekable(self) -> bool:
        """Say that there is no seeking after a read; ``seek`` works all the same."""
        return False


def read_header(path: str | Path) -> AudioHeader:
    """Read a header.

    Raises:
        AudioError: ``empty`` for a file without bytes or frames, else as ``open_audio``.
    """
    with open_audio(path) as (_, header):
        if header.num_frames == 0:
            raise AudioError("empty", "the file holds no audio frames")
        return header


@contextmanager
def open_audio(path: str | Path) -> Iterator[tuple[SoundFile, AudioHeader]]:
    """Open an audio file, whose header is believed only as far as its bytes can hold it.

    Raises:
        AudioError: ``not_a_file`` for a pipe, a device or a folder; ``empty`` for a file without
            bytes; ``odd_rate`` for a sample rate that is none of speech or too costly to resample;
            ``bad_header`` for more frames than the bytes can hold; else ``unreadable``, also for
            errors of reading within.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # never waits for a pipe's writer
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise AudioError("unreadable", describe(error)) from error
    try:
        size = _size(descriptor)
        with SoundFile(descriptor, closefd=False) as sound:
            yield sound, _checked_header(sound, size)
    except (OSError, RuntimeError) as error:  # libsndfile's own are RuntimeErrors
        raise AudioError("unreadable", describe(error)) from error
    finally:
        os.close(descriptor)


def _size(descriptor: int) -> int:
    """Return the bytes of an open file, which must be a regular one."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
        raise AudioError("not_a_file", f"this is {kind}, not a file")
    if status.st_size == 0:
        raise AudioError("empty", "the file has no bytes")
    return status.st_size


def _checked_header(sound: SoundFile, size: int) -> AudioHeader:
    """Return the header, unless it promises what cannot be."""
    header = AudioHeader(sound.samplerate, sound.channels, max(sound.frames, 0))
    if is_odd_rate(header.sample_rate):
        detail = f"{header.sample_rate} Hz: resample it to a usual rate, such as 24000 or 48000 Hz"
        raise AudioError("odd_rate", detail)
    most = most_frames(sound.format, sound.subtype, header.channels, size)
    if header.num_frames > most:
        detail = f"its header promises {header.num_frames} frames, but {size} bytes cannot hold "
        raise AudioError("bad_header", detail + f"more than {most}: the header is damaged")
    return header


def describe(error: Exception) -> str:
    """Say what libsndfile or the system said, without the path, which stands beside it."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    text = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split())
