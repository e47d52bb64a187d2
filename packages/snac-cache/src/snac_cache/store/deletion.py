"""Deleting a cache, and nothing else that may lie in the same folders."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from snac_cache.schema import REJECTS
from snac_cache.store import mapped
from snac_cache.store.description import NAME
from snac_cache.store.parts import RECORD_KEY
from snac_cache.work import plan_file
from snac_common.artifacts import SPLITS
from snac_common.console import note
from snac_common.copying import remove
from snac_common.errors import Failure
from snac_common.files import TEMPORARY_SUFFIX

_NAMES = re.compile(r"((train|val)-)?part-\d{5,}\.parquet|(train|val)\.parquet")
_COPIES = re.compile(r".+\.(arrow|json)")
# In the order of deletion: a reject without its part would count for ever, and a part without its
# rejects is not finished.
_FOLDERS = ("rejects", *SPLITS, plan_file.FOLDER)


def delete_cache(folder: Path) -> None:
    """Delete the parts, the rejects, the plan and ``cache.json``, which goes first as it vouches.

    Only files that snac-cache makes are deleted, and folders that are empty then.

    Raises:
        Failure: if the folder holds no cache but other files where a cache has its own, such as
            speech; nothing is deleted then.
    """
    own, others = _contents(folder)
    if others and not (folder / NAME).is_file():
        raise Failure(
            f"{folder} holds no cache, but other files, such as {others[0]}: --overwrite deletes "
            "nothing there. Give another --codes folder."
        )
    remove(folder / NAME)
    for path in own:
        remove(path)
    for path in (folder / name for name in _FOLDERS):
        _delete_copies(path / mapped.FOLDER)
        _remove_if_empty(path)
    _delete_copies(folder / mapped.FOLDER)
    if own:
        note(f"deleted the {len(own)} files of the cache in {folder}")


def _contents(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the cache's own files in its folders, and all others there."""
    own: list[Path] = []
    others: list[Path] = []
    for name in _FOLDERS:
        for path in sorted((folder / name).glob("*")):
            if path.name != mapped.FOLDER:
                (own if _is_own(path) else others).append(path)
    return own, others


def _is_own(path: Path) -> bool:
    """Say whether snac-cache wrote a file: by its name, and by what it says of itself."""
    if path.name.endswith(TEMPORARY_SUFFIX):
        return _NAMES.match(path.name.lstrip(".")) is not None
    if not _NAMES.fullmatch(path.name) or not path.is_file():
        return False
    try:
        schema = pq.read_schema(path)
        keys = pq.read_metadata(path).metadata or {}
    except (OSError, pa.ArrowException):
        return (path.parent.parent / NAME).is_file()  # one of its files, damaged
    return schema.equals(REJECTS) or RECORD_KEY.encode() in keys or plan_file.PARTS_KEY in keys


def _delete_copies(folder: Path) -> None:
    """Delete the decoded copies that readers have made."""
    for path in folder.glob("*"):
        if _COPIES.fullmatch(path.name) or path.name.endswith(TEMPORARY_SUFFIX):
            path.unlink(missing_ok=True)
    _remove_if_empty(folder)


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
