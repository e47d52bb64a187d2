"""Bringing a mirror to what its store holds, before something is read there."""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from snac_common.addresses import address, mirror
from snac_common.files import atomic_path
from snac_common.object_store import Object, download, list_objects
from snac_common.progress import progress

DOWNLOADS_AT_ONCE = 16
LOCKS = ".locks"
CLOCK_S = 0.1  # that a file system's clock may be behind

Chooses = Callable[[str], bool]


def refresh(*places: Path | str | None, only: Chooses | None = None) -> None:
    """Have files and folders as their stores have them; those of no store stay as they are.

    What differs in size or version is fetched, what is gone there is removed here. What another
    process of this machine puts meanwhile stays.

    Args:
        only: whether a file is wanted, by its path in the folder; others are let be.

    Raises:
        Failure: if a store cannot be reached, or does not allow it.
    """
    for place in places:
        if place is not None and (where := address(place)) is not None:
            with one_process(Path(place)):
                started = time.time()
                fetch(Path(place), list_objects(where), started, only)


@contextmanager
def one_process(folder: Path) -> Iterator[None]:
    """Let processes of this machine fetch a folder one after the other: most find it done."""
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    lock = mirror() / LOCKS / name
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def fetch(
    folder: Path, objects: dict[str, Object], listed: float, only: Chooses | None = None
) -> None:
    """Have a folder hold just these objects, which were listed at a time, in seconds."""
    wanted = {name: found for name, found in objects.items() if only is None or only(name)}
    missing = [
        (folder / name, found.size)
        for name, found in wanted.items()
        if address(folder / name) and Object.copied(folder / name) != found
    ]
    for name, path in copies(folder):
        if name not in objects and (only is None or only(name)):
            _remove_if_older(path, listed)
    if missing:
        megabytes = sum(size for _, size in missing) / 1e6
        with (
            ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool,
            progress(len(missing), f"download {megabytes:,.1f} MB", "files") as advance,
        ):
            for _ in pool.map(partial(_download, listed), [path for path, _ in missing]):
                advance(1)


def copies(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files in a folder of the mirror that a store may have, by their names there."""
    if folder.is_file():
        yield "", folder
    for where, subfolders, names in os.walk(folder):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in names:
            path = Path(where, name)
            if not name.startswith(".") and not path.is_symlink():
                yield path.relative_to(folder).as_posix(), path


class _Newer(Exception):
    """What was to be fetched has been written here meanwhile."""


def _download(listed: float, path: Path) -> None:
    """Fetch a file; what was written here meanwhile is newer, and stays."""
    where, before = address(path), Object.copied(path)
    assert where is not None
    try:
        with atomic_path(path, copied=False) as temporary:
            download(where, temporary)
            if Object.copied(path) != before:
                raise _Newer
    except _Newer:
        pass
    except FileNotFoundError:  # deleted since it was listed
        _remove_if_older(path, listed)


def _remove_if_older(path: Path, listed: float) -> None:
    """Remove a file that its store no longer has, unless it came here since the store was asked."""
    try:
        if path.lstat().st_ctime < listed - CLOCK_S:
            path.unlink()
    except FileNotFoundError:
        pass  # another process refreshes too
