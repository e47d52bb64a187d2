"""Results that belong into an object store, put there as they get their names on this machine.

First there, then here: a file of the mirror is in the store too, so a process that is killed
between leaves nothing here that the store has not. What a store has and this machine has not is
fetched before it is read, see ``refresh``.
"""

import os
import shutil
import tempfile
from pathlib import Path

from snac_common.addresses import address
from snac_common.object_store import delete, list_objects, upload

_VOUCHERS = (".json", ".md")  # what says of other files that they are there, and so goes up last
_PROBE = ".taken"
_kept_back: set[Path] = set()


def keep_back(folder: Path) -> None:
    """Leave what this process writes below a folder on this machine: it is copied up later."""
    _kept_back.add(folder)


def copy_up(written: Path, name: Path) -> None:
    """Put a file that is to have a name, if that lies in the mirror.

    Raises:
        Failure: if the store does not take it; then it shall not get its name here either.
    """
    if (where := _place(name)) is not None:
        upload(written, where).mark(written)


def copy_folder_up(written: Path, name: Path) -> None:
    """Put the files of a folder that is to have a name, in the place of those that are there.

    A store has no folders: while this runs, others find some of the files. What vouches for the
    rest goes first and comes last.

    Raises:
        Failure: if the store does not take it.
    """
    if (where := _place(name)) is None:
        return
    old = sorted(list_objects(where), key=_is_voucher, reverse=True)
    delete(*(f"{where}/{path}" for path in old))
    files = [path for path in written.rglob("*") if path.is_file()]
    for path in sorted(files, key=lambda path: (_is_voucher(path.name), path)):
        place = path.relative_to(written)
        if address(name / place):
            upload(path, f"{where}/{place.as_posix()}").mark(path)


def check_taken(folder: Path) -> None:
    """Raise Failure unless the store that a folder mirrors takes objects there, if it is in one."""
    if (where := address(folder)) is not None:
        with tempfile.NamedTemporaryFile() as empty:
            upload(Path(empty.name), f"{where}/{_PROBE}")
        delete(f"{where}/{_PROBE}")


def remove(path: Path) -> None:
    """Delete a file, or a folder with all in it, in the store too; what is gone is no error.

    Raises:
        Failure: if the store does not allow it; then it stays here too.
    """
    if (where := _place(path)) is not None:
        if path.is_dir() and not path.is_symlink():
            delete(*(f"{where}/{name}" for name in list_objects(where)))
        else:
            delete(where)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _place(name: Path) -> str | None:
    """Return the address that a result of this name belongs to, if it goes there now."""
    if any(name.is_relative_to(folder) for folder in _kept_back):
        return None
    return address(os.path.abspath(name))


def _is_voucher(name: str) -> bool:
    return name.endswith(_VOUCHERS)
