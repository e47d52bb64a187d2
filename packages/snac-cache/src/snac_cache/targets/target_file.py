"""The file of one target: written whole, and decoded before it is trusted."""

import errno
import hashlib
import io
import stat
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import torch

from snac_cache.schema import TARGET_RATE
from snac_cache.targets.notes import MARKS, TargetNotes
from snac_common.copying import remove
from snac_common.files import atomic_path, clear_leftovers
from snac_common.full_disk import cannot_write
from snac_model.audio.header import AudioError, describe

NOT_OURS = "was not made by snac-upsample: move it away, or give other --targets"
HEAD_BYTES = 4096  # STREAMINFO and the comment come first
_MD5 = slice(26, 42)  # of the samples, in STREAMINFO, a FLAC file's first block (RFC 9639)


@cache
def _clear_once(folder: Path) -> None:
    """Clear what killed writers left in a folder, when this process first writes into it."""
    clear_leftovers(folder)


def write_target(path: Path, target: torch.Tensor, notes: TargetNotes) -> None:
    """Write a target ``[T]`` as 16-bit flac, atomically.

    Raises:
        AudioError: ``bad_name``, if something stands in the way of its name.
        Failure: if the disk is full or cannot be written to.
    """
    content = encode_target(target, notes)
    try:
        _clear_once(path.parent)
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise AudioError("bad_name", f"the ids of other rows stand in its way: {error}") from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise AudioError("bad_name", "the file's name is too long for this disk") from error
        raise cannot_write(path, error, "Finished targets are kept.") from error


def encode_target(target: torch.Tensor, notes: TargetNotes) -> bytes:
    """Return a target ``[T]`` as the bytes of a 16-bit flac file."""
    content = io.BytesIO()
    with soundfile.SoundFile(content, "w", TARGET_RATE, 1, "PCM_16", format="FLAC") as file:
        file.comment = notes.to_comment()
        file.write(target.numpy())
    return content.getvalue()


def read_target(path: Path, length: int) -> TargetNotes | None:
    """Decode a target to its last sample; return its notes, or None if it cannot be kept.

    It must have the length that is asked for, in samples, and the samples that were written: the
    format keeps their MD5.

    Raises:
        AudioError: ``target_exists``, if the file was not made by snac-upsample.
    """
    try:
        if not _is_own(path):
            raise AudioError("target_exists", f"{path} {NOT_OURS}")
        content = path.read_bytes()
    except OSError:
        return None
    return notes_of(content, length)


def notes_of(content: bytes, length: int) -> TargetNotes | None:
    """Decode the bytes of a target as ``read_target`` does a file; nobody else's are asked for."""
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            notes = TargetNotes.from_comment(file.comment)
            form = (file.samplerate, file.channels, file.frames, file.subtype)
            samples = file.read(dtype="int16")
        expected = content[_MD5]
    except (soundfile.LibsndfileError, ValueError):
        return None
    if form != (TARGET_RATE, 1, length, "PCM_16") or len(samples) != length:
        return None
    return notes if hashlib.md5(samples.astype(np.dtype("<i2"))).digest() == expected else None


def make_way(path: Path) -> None:
    """Delete a target of ours, or nothing; raises AudioError ``target_exists`` for another file."""
    try:
        if not _is_own(path):
            raise AudioError("target_exists", f"{path} {NOT_OURS}")
    except FileNotFoundError:
        return
    remove(path)


def _is_own(path: Path) -> bool:
    """Say whether a file is a target that snac-upsample made, damaged perhaps, or has no bytes."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        return False
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise AudioError("target_exists", f"{path} cannot be read: {describe(error)}") from error
    return not head or any(mark in head for mark in MARKS)
