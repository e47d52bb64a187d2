"""What tells one recording from another that took its place, at little cost a file."""

import hashlib
import os
import stat
from pathlib import Path

from snac_model.audio_header import AudioError, describe

BLOCK_BYTES = 4096
BLOCKS = 5
_FLAC_MARK, _FLAC_MD5 = b"fLaC", slice(26, 42)  # STREAMINFO is a FLAC file's first block (RFC 9639)


def audio_fingerprint(path: str | Path) -> str:
    """Return a short text that changes with a file's audio, and not with its path or its times.

    For FLAC it is the MD5 of the samples that the format itself keeps. For anything else, and for
    FLAC without one, it is the size and a digest of five blocks of 4 KiB, spread evenly from the
    first to the last byte: a denoiser, another take or another encoder changes all of them. What
    is not seen is an edit of equal length that lies between the blocks.

    Raises:
        AudioError: ``not_a_file`` for a pipe, a device or a folder; else ``unreadable``.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # never waits for a pipe's writer
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise AudioError("unreadable", describe(error)) from error
    try:
        return _fingerprint(descriptor)
    except OSError as error:
        raise AudioError("unreadable", describe(error)) from error
    finally:
        os.close(descriptor)


def _fingerprint(descriptor: int) -> str:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise AudioError("not_a_file", "this is a folder, a pipe or a device, not a file")
    head = os.pread(descriptor, BLOCK_BYTES, 0)
    if head[:4] == _FLAC_MARK and any(head[_FLAC_MD5]):
        return f"flac:{head[_FLAC_MD5].hex()}"
    digest = hashlib.blake2b(head, digest_size=16)
    for start in _later_blocks(status.st_size):
        digest.update(os.pread(descriptor, BLOCK_BYTES, start))
    return f"blocks:{status.st_size}:{digest.hexdigest()}"


def _later_blocks(size: int) -> list[int]:
    """Return where each block but the first starts; small files are covered without gaps."""
    if size <= BLOCKS * BLOCK_BYTES:
        return list(range(BLOCK_BYTES, size, BLOCK_BYTES))
    last = size - BLOCK_BYTES
    return [last * number // (BLOCKS - 1) for number in range(1, BLOCKS)]
