"""What a disk that cannot be written to looks like to each library, told in one way."""

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snac_common.errors import Failure

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_SYSTEM_ERROR = 2  # libsndfile's code for what the system refused
_TORCH_MESSAGES = ("unexpected pos", "file write failed")


@contextmanager
def told_when_full(path: Path) -> Iterator[None]:
    """Turn what libraries raise when a disk, a quota or a file is full into one clear error.

    Args:
        path: what is being written, for the message.

    Raises:
        Failure: names the path, the reason and the free space. All other errors pass unchanged.
    """
    try:
        yield
    except Exception as error:
        reason = _reason(error)
        if reason is None:
            raise
        raise Failure(_full(path, reason)) from error


def reason_of(error: Exception) -> str:
    """Say why something failed, without Python's or a library's words for what the system says."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error)


def in_words(error: OSError) -> str:
    """Say what the system refused, to which file and, of a disk, what to do about it."""
    reason = reason_of(error)
    if error.filename is None:
        return reason
    path = Path(os.fsdecode(error.filename))
    if error.errno in {*_FULL, errno.EROFS}:
        return str(cannot_write(path, error))
    return f"{path}: {reason}"


def cannot_write(path: Path, error: OSError, kept: str = "") -> Failure:
    """Return the error for a file that the system does not take.

    Args:
        kept: what is not lost, as a sentence.
    """
    if error.errno == errno.EROFS:
        said = f"cannot write {path}: {reason_of(error)}. Give a folder that can be written to."
    else:
        said = _full(path, reason_of(error))
    return Failure(f"{said} {kept}".rstrip())


def _full(path: Path, reason: str) -> str:
    return (
        f"cannot write {path}: {reason}. {_free_space(path)}; make room, and give the same "
        "command again."
    )


def _reason(error: Exception) -> str | None:
    """Say why nothing more could be written, or None if the error is about something else.

    Libraries that are not loaded have raised nothing, so none is imported here.
    """
    if isinstance(error, OSError):
        return reason_of(error) if error.errno in _FULL else None
    if isinstance(error, _loaded("soundfile", "LibsndfileError")):
        is_system = getattr(error, "code", None) == _SYSTEM_ERROR
        return "the system refused to write more" if is_system else None
    if isinstance(error, _loaded("safetensors", "SafetensorError")):
        return str(error)
    if isinstance(error, RuntimeError) and any(text in str(error) for text in _TORCH_MESSAGES):
        return f"torch could not write more ({error})"
    return None


def _loaded(module: str, name: str) -> type[Exception] | tuple[()]:
    """Return a library's class of errors; none of them if the library is not loaded."""
    return getattr(sys.modules.get(module), name, ())


def _free_space(path: Path) -> str:
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    return f"{shutil.disk_usage(folder).free / 1e9:.1f} GB are free there"
