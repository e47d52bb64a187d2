"""Files that are whole or absent, never half written."""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from snac_common.copying import check_taken, copy_folder_up, copy_up
from snac_common.errors import Failure
from snac_common.exchange import exchange
from snac_common.full_disk import told_when_full

TEMPORARY_SUFFIX = ".partial"
LONGEST_NAME = 255  # bytes, on nearly every file system

# As tempfile names them: eight letters, digits or underscores.
_TEMPORARY = re.compile(r"\.(?P<name>.+)-[a-z0-9_]{8}" + re.escape(TEMPORARY_SUFFIX), re.DOTALL)
_ADDED = len(".-12345678" + TEMPORARY_SUFFIX)


@contextmanager
def atomic_path(path: Path, *, durable: bool = True, copied: bool = True) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``path``; flushed and renamed on success.

    A reader sees the old content or the new, and an interrupted writer leaves only a file whose
    name ends in ``.partial``, which no glob over the results matches; see ``clear_leftovers``.

    Args:
        durable: flush it; without, it may be lost with the machine, as what is soon written anew.
        copied: put what is durable into the object store that ``path`` mirrors, if it does.

    Raises:
        Failure: if the disk is full, whatever writes to the temporary path, or if the store does
            not take it.
    """
    with told_when_full(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=_prefix(path), suffix=TEMPORARY_SUFFIX
        )
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            if durable:
                flush_to_disk(temporary)
            if durable and copied:
                copy_up(temporary, path)
            temporary.replace(path)
            if durable:
                flush_to_disk(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``; flushed and renamed on success, else removed.

    A folder that is there already is replaced, in whole and only on success.

    Raises:
        Failure: if the disk is full, whatever writes to the temporary folder, or if the object
            store that ``path`` mirrors does not take it.
    """
    with told_when_full(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        work = Path(
            tempfile.mkdtemp(dir=path.parent, prefix=_prefix(path), suffix=TEMPORARY_SUFFIX)
        )
        new = work / "new"
        try:
            new.mkdir()
            yield new
            for entry in (*new.rglob("*"), new):
                flush_to_disk(entry)
            copy_folder_up(new, path)
            if not (path.exists() and exchange(new, path)):
                if path.exists():
                    path.replace(work / "old")
                new.replace(path)
            flush_to_disk(path.parent)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def clear_leftovers(
    folder: Path, older_than_seconds: float = 86_400, *, recursive: bool = False
) -> int:
    """Remove what killed writers left in a folder; return how many files and folders that were.

    Only what has the name of a temporary file or folder goes, and only if nothing was written to
    it for so long that its writer cannot be living. A folder that was taken away to be replaced,
    and never was, goes back to its place. Links are not followed.

    Args:
        folder: that is about to be written to; it need not exist.
        older_than_seconds: a day, unless told otherwise.
        recursive: go through its subfolders too.
    """
    removed = 0
    before = time.time() - older_than_seconds
    for path in _entries(folder):
        is_ours = _TEMPORARY.fullmatch(path.name)
        if not (is_ours or recursive) or path.is_symlink():
            continue
        if is_ours:
            removed += _cleared(path, before)
        elif path.is_dir():
            removed += clear_leftovers(path, older_than_seconds, recursive=True)
    return removed


def check_writable(folder: Path) -> None:
    """Raise Failure unless files can be written below a folder, which need not exist.

    In the mirror of an object store, the store must take them too.

    Asked before hours of work whose results go there. Nothing is left behind.
    """
    near = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=near) as file:
            file.write(b"?")
    except OSError as error:
        raise Failure(
            f"cannot write to {folder}: {error.strerror}. Give a folder that can be written to, or "
            "make room there."
        ) from error
    check_taken(folder)


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a whole text file, atomically; ``durable`` as for ``atomic_path``."""
    with atomic_path(path, durable=durable) as temporary:
        temporary.write_text(text, encoding="utf-8")


def flush_to_disk(path: Path) -> None:
    """Have the system write a file's content, or a folder's entries, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _prefix(path: Path) -> str:
    """Return the beginning of a temporary name, cut where the whole of it would be too long."""
    name = os.fsencode(path.name)[: LONGEST_NAME - _ADDED]
    return f".{name.decode(errors='ignore')}-"


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []  # it is absent, or for others to clear


def _cleared(path: Path, before: float) -> bool:
    """Remove a leftover that was last written before then; others may do the same meanwhile."""
    with suppress(OSError):
        if _last_written(path) < before:
            _put_back(path)
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
            return True
    return False


def _last_written(path: Path) -> float:
    """Return when something was last written to a file, or to anything in a folder."""
    times = [path.lstat().st_mtime]
    for folder, _, names in os.walk(path):
        times += [os.lstat(os.path.join(folder, name)).st_mtime for name in [".", *names]]
    return max(times)


def _put_back(leftover: Path) -> None:
    """Rename a folder to what it was, if its writer was killed before the new one had its name."""
    found = _TEMPORARY.fullmatch(leftover.name)
    place = leftover.with_name(found["name"]) if found else leftover
    if (leftover / "old").is_dir() and not place.exists():
        (leftover / "old").rename(place)


def _umask() -> int:
    """Return the process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
