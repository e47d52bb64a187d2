"""What tells one recording from another that took its place, at little cost a file."""

import hashlib
from pathlib import Path

from snac_model.audio.distant_bytes import Distant, Held
from snac_model.audio.error import AudioError, describe
from snac_model.audio.file_bytes import Window, open_bytes
from snac_model.audio.locators import parse

BLOCK_BYTES = 4096
BLOCKS = 5
_FLAC_MARK, _FLAC_MD5 = b"fLaC", slice(26, 42)  # STREAMINFO is a FLAC file's first block (RFC 9639)


def audio_fingerprint(where: str | Path) -> str:
    """Return a short text that changes with the audio, and not with its place or its times.

    For FLAC it is the MD5 of the samples that the format itself keeps. For anything else, and for
    FLAC without one, it is the size and a digest of five blocks of 4 KiB, spread evenly from the
    first to the last byte: a denoiser, another take or another encoder changes all of them. What
    is not seen is an edit of equal length that lies between the blocks.

    A file within a tar or a parquet file has the fingerprint that it has by itself; a segment has
    its recording's, behind its frames.

    Raises:
        AudioError: as ``open_bytes``.
    """
    place = parse(where)
    try:
        with open_bytes(place) as content:
            found = _fingerprint(content)
    except OSError as error:
        raise AudioError("unreadable", describe(error)) from error
    if place.segment is None:
        return found
    return segment_fingerprint(found, place.segment)


def segment_fingerprint(recording: str, segment: tuple[int, int]) -> str:
    """Return the fingerprint of some frames, first and number, of a recording with its own."""
    start, frames = segment
    return f"frames:{start}+{frames}:{recording}"


def _fingerprint(content: Window | Held | Distant) -> str:
    head = content.block(BLOCK_BYTES, 0)
    if head[:4] == _FLAC_MARK and any(head[_FLAC_MD5]):
        return f"flac:{head[_FLAC_MD5].hex()}"
    digest = hashlib.blake2b(head, digest_size=16)
    for start in _later_blocks(content.size):
        digest.update(content.block(BLOCK_BYTES, start))
    return f"blocks:{content.size}:{digest.hexdigest()}"


def _later_blocks(size: int) -> list[int]:
    """Return where each block but the first starts; small files are covered without gaps."""
    if size <= BLOCKS * BLOCK_BYTES:
        return list(range(BLOCK_BYTES, size, BLOCK_BYTES))
    last = size - BLOCK_BYTES
    return [last * number // (BLOCKS - 1) for number in range(1, BLOCKS)]
