"""Reading an open audio file a block at a time, channels averaged; free of torch."""

from collections.abc import Iterator

import numpy as np

from snac_model.audio.header import AudioError, SoundFile

BLOCK_SAMPLES = 2**22  # of all channels; 16 MiB
# Formats whose decoders give other samples after a seek: by 1e-7 in MP3, by 2e-3 in Opus at 16 kHz,
# measured on speech. A segment of them is decoded from the file's beginning.
INEXACT = ("MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III", "OPUS")
MP3_LEAD_IN = 4 * 1152  # frames; a decoder's first ones after a seek lack what came before them


def mono_blocks(
    sound: SoundFile, start: int = 0, frames: int = -1, block_frames: int | None = None
) -> Iterator[np.ndarray]:
    """Yield ``frames`` frames from ``start`` (default: all) as float32 ``[T]``, T by the block.

    Memory is taken as audio comes, so that a header which promises too much costs nothing.

    Raises:
        AudioError: ``unreadable`` where the file holds less than its header promises;
            ``non_finite`` where a sample is NaN or infinite.
    """
    promised = len(sound.span) - start
    if promised < 0:
        raise AudioError("unreadable", f"it has {len(sound.span)} frames, none from {start} on")
    wanted = promised if frames < 0 else min(frames, promised)
    most = max(1, BLOCK_SAMPLES // sound.channels)
    first = sound.span.start + start
    if (start == 0 and sound.subtype in INEXACT) or not sound.can_seek():
        _read_up_to(sound, first)
    else:
        _go_to(sound, first)
    done = 0
    while done < wanted:
        size = min(wanted - done, block_frames or most, most)
        samples = sound.read(size, dtype="float32", always_2d=True)
        if len(samples) < size:  # libsndfile says nothing when a file ends early
            found = f"{done + len(samples)} of {wanted} frames can be read"
            raise AudioError("unreadable", f"cut short: {found}")
        yield _mono(samples)
        done += size


def _read_up_to(sound: SoundFile, first: int) -> None:
    """Decode what is before a frame, and throw it away."""
    while first > 0:
        read = len(sound.read(min(first, BLOCK_SAMPLES // sound.channels), dtype="float32"))
        if read == 0:
            raise AudioError("unreadable", f"cut short: {first} frames are missing")
        first -= read


def _go_to(sound: SoundFile, start: int) -> None:
    """Seek so that what is read next is as if all before had been read."""
    lead_in = min(start, MP3_LEAD_IN) if sound.format == "MP3" else 0
    if start > 0:
        sound.seek(start - lead_in)
    if lead_in > 0:
        sound.read(lead_in, dtype="float32")


def _mono(samples: np.ndarray) -> np.ndarray:
    """Average ``[T, channels]`` to ``[T]``."""
    if not np.isfinite(samples).all():
        raise AudioError("non_finite", "the audio holds NaN or infinite samples")
    mono: np.ndarray = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    return np.ascontiguousarray(mono)
