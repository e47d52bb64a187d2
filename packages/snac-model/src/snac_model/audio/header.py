"""What can be known of an audio file without decoding it; free of torch."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import soundfile

from snac_model.audio.distant_bytes import Distant, Held
from snac_model.audio.error import AudioError, describe
from snac_model.audio.file_bytes import Window, open_bytes
from snac_model.audio.header_bounds import is_odd_rate, most_frames
from snac_model.audio.locators import Locator, parse

__all__ = ["AudioError", "AudioHeader", "SoundFile", "describe", "open_audio", "read_header"]


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

    Attributes:
        span: the frames of the file that are meant: all, or a segment's.
    """

    span: range

    def seekable(self) -> bool:
        """Say that there is no seeking after a read; ``seek`` works all the same."""
        return False

    def can_seek(self) -> bool:
        """Say whether the format can seek at all."""
        return super().seekable()


def read_header(where: str | Path) -> AudioHeader:
    """Read a header.

    Raises:
        AudioError: ``empty`` for a file without bytes or frames, else as ``open_audio``.
    """
    with open_audio(where) as (_, header):
        if header.num_frames == 0:
            raise AudioError("empty", "the file holds no audio frames")
        return header


@contextmanager
def open_audio(where: str | Path) -> Iterator[tuple[SoundFile, AudioHeader]]:
    """Open audio, whose header is believed only as far as its bytes can hold it.

    Args:
        where: a path or a locator; a segment is as if it were a file of its own.

    Raises:
        AudioError: ``not_a_file`` for a pipe, a device or a folder; ``empty`` for a file without
            bytes; ``odd_rate`` for a sample rate that is none of speech or too costly to resample;
            ``bad_header`` for more frames than the bytes can hold; ``beyond_end`` for a segment
            that the file does not hold; ``torn_tar`` for a tar that has no such member; else
            ``unreadable``, also for errors of reading within.
        Failure: if an object store cannot be reached, or does not allow it.
    """
    place = parse(where)
    try:
        with open_bytes(place) as content, _opened(content, place) as sound:
            header = _checked_header(sound, content.size)
            sound.span = _span(place, header)
            yield sound, replace(header, num_frames=len(sound.span))
    except (OSError, RuntimeError) as error:  # libsndfile's own are RuntimeErrors
        raise AudioError("unreadable", describe(error)) from error


def _opened(content: Window | Held | Distant, place: Locator) -> SoundFile:
    """Open bytes as audio; of a file of its own libsndfile does the reading."""
    if content.size == 0:
        raise AudioError("empty", "the file has no bytes")
    if isinstance(content, Window) and not place.member:
        return SoundFile(content.descriptor, closefd=False)
    return SoundFile(content)


def _span(place: Locator, header: AudioHeader) -> range:
    """Return the frames that are meant."""
    if place.segment is None:
        return range(header.num_frames)
    start, frames = place.segment
    if start + frames > header.num_frames:
        detail = f"the segment ends at frame {start + frames}, the recording at {header.num_frames}"
        raise AudioError("beyond_end", detail)
    return range(start, start + frames)


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
