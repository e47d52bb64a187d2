"""Corpora in an object store: listed here as empty files, so that they are found like any other.

Where such a file lies says which object it stands for; what is in that is asked for where it is
needed. A tar's headers are all over it, so a tar is fetched whole while it is indexed.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from snac_common.addresses import LISTED, address, mirror
from snac_common.console import note
from snac_common.errors import BadInput
from snac_common.object_store import Ranges, download, list_objects
from snac_common.refresh import one_process
from snac_model.audio.distant_bytes import distant


@contextmanager
def listed(sources: Sequence[Path]) -> Iterator[None]:
    """Have empty files, while this lasts, for the objects of those sources that are in a store.

    Raises:
        BadInput: if there is nothing at an address.
        Failure: if a store cannot be reached, or does not allow it.
    """
    there = [source for source in sources if is_listed(source)]
    with ExitStack() as stack:
        for source in there:
            stack.enter_context(one_process(source))
            stack.callback(_remove, source)
            _list(source)
        yield


def is_listed(path: Path | str) -> bool:
    """Say whether a path is of a corpus in a store."""
    return Path(path).is_relative_to(mirror() / LISTED)


@contextmanager
def borrowed(path: str) -> Iterator[str]:
    """Yield the path of a file, or of a copy of an object that is there while this lasts.

    Raises:
        Failure: if it cannot be had.
    """
    where = distant(path)
    if where is None:
        yield path
        return
    mirror().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=mirror(), prefix=".borrowed-") as folder:
        copy = Path(folder, os.path.basename(path))
        download(where, copy)
        yield str(copy)


def source_of(path: str) -> Any:
    """Return what pyarrow reads a parquet file from."""
    where = distant(path)
    return path if where is None else Ranges(where)


def _list(source: Path) -> None:
    where = address(source)
    found = [] if where is None else list_objects(where)
    if not found:
        raise BadInput(f"there is nothing at {where}: no object, and none below it")
    _remove(source)
    left_out = [name for name in found if not _make_empty(source, name)]
    if left_out:
        note(
            f"{len(left_out)} objects in {where}, such as {left_out[0]}, are left out: their names "
            "begin with a dot, or cannot be those of files"
        )


def _make_empty(source: Path, name: str) -> bool:
    """Make the file of an object; says whether that was possible."""
    path = source / name if name else source
    if name and address(path) != f"{address(source)}/{name}":
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError:  # such as an object x beside another that is called x/y
        return False
    return True


def _remove(source: Path) -> None:
    if source.is_dir():
        shutil.rmtree(source)
    else:
        source.unlink(missing_ok=True)
