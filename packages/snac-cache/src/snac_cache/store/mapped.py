"""Tables as memory-mapped Arrow files, so that a row costs no more than touching its bytes.

Parquet is compact and open to SQL, but must be decoded a row group at a time. So a table is decoded
once, when it is first needed, into an uncompressed Arrow file beside its source, which all
processes then map: its pages are the system's to keep or drop, and are shared.

A copy is used only if a small file beside it vouches for it: by the state of its sources, and by
its own length and checksum. Anything else is made anew.
"""

import hashlib
import json
import os
import stat
import zlib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from snac_cache.parquet import MADE_ANEW, damaged, read_table
from snac_common.errors import Failure
from snac_common.files import atomic_path, write_text

FOLDER = ".mapped"
ENVIRONMENT = "SNAC_MAPPED"
BYTES_AT_ONCE = 2**22

Make = Callable[[], pa.RecordBatchReader]


def open_mapped(part: Path) -> pa.Table:
    """Return a parquet file's table in mapped memory, each column in one chunk.

    Raises:
        Failure: if the file cannot be read to its last byte.
    """
    return map_table(part.parent, part.stem, [part], partial(_decode, part))


def map_table(folder: Path, name: str, sources: Iterable[Path], make: Make) -> pa.Table:
    """Return a table in mapped memory, made and written first if there is no sound copy of it.

    Args:
        folder: in whose ``.mapped`` the copy is kept, or if that cannot be written to, in a folder
            of this user's own.
        sources: the files that the table is made from.
        make: yields its rows, of which no more than one batch need be in memory at a time.

    Raises:
        Failure: if the copy cannot be kept anywhere.
    """
    state = _state(sources)
    table = _open(folder / FOLDER / f"{name}.arrow", state)
    if table is not None:
        return table
    private = _private_folder(folder)
    if private.is_dir():
        _check_private(private)
        table = _open(private / f"{name}.arrow", state)
        if table is not None:
            return table
    try:
        table = _write(make(), folder / FOLDER / f"{name}.arrow", state)
    except OSError:  # such as a cache that this user may only read, or a disk without room
        table = _write_privately(make, private, name, state)
    pa.default_memory_pool().release_unused()
    return table


def take_rows(table: pa.Table, rows: np.ndarray) -> pa.Table:
    """Return rows of a mapped table in the order that is asked for: int64, from 0.

    Arrow's own ``take`` copies whole columns first if they have several chunks.
    """
    batches = table.to_batches()
    starts = np.cumsum([0, *(batch.num_rows for batch in batches)])
    numbers = np.searchsorted(starts, rows, side="right") - 1
    order = np.argsort(numbers, kind="stable")
    pieces = [table.schema.empty_table()]
    for number in np.unique(numbers):
        places = rows[order][numbers[order] == number] - starts[number]
        pieces.append(pa.Table.from_batches([batches[number].take(pa.array(places))]))
    place_of = np.empty(len(rows), np.int64)
    place_of[order] = np.arange(len(rows))
    return pa.concat_tables(pieces).take(pa.array(place_of))


def _decode(part: Path) -> pa.RecordBatchReader:
    try:
        return read_table(part).combine_chunks().replace_schema_metadata(None).to_reader()
    except (OSError, pa.ArrowException) as error:
        raise damaged(part, error, MADE_ANEW) from error


def _write(rows: pa.RecordBatchReader, path: Path, state: str) -> pa.Table:
    with atomic_path(path) as temporary:
        with pa.ipc.new_file(temporary, rows.schema) as writer:
            for batch in rows:
                writer.write_batch(batch)
        vouched = {"sources": state, **_measure(temporary)}
    write_text(_voucher(path), json.dumps(vouched))
    return _map(path)


def _write_privately(make: Make, private: Path, name: str, state: str) -> pa.Table:
    try:
        private.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(private)
        return _write(make(), private / f"{name}.arrow", state)
    except OSError as error:
        raise Failure(
            f"neither beside the cache nor in {private} can a decoded copy of it be kept: {error}. "
            f"Name a folder with room for it: export {ENVIRONMENT}=DIR."
        ) from error


def _open(path: Path, state: str) -> pa.Table | None:
    """Map a copy if it is whole and was made from the sources as they are now."""
    try:
        vouched = json.loads(_voucher(path).read_text(encoding="utf-8"))
        if not isinstance(vouched, dict) or vouched != {"sources": state, **_measure(path)}:
            return None
        return _map(path)
    except (OSError, ValueError, pa.ArrowException):
        return None


def _voucher(path: Path) -> Path:
    return path.with_suffix(".json")


def _measure(path: Path) -> dict[str, Any]:
    """Return a file's length and checksum, read piece by piece: mapped it would fill memory."""
    checksum = 0
    with path.open("rb", buffering=0) as file:
        while piece := file.read(BYTES_AT_ONCE):
            checksum = zlib.crc32(piece, checksum)
    return {"bytes": path.stat().st_size, "crc32": checksum}


def _map(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all()


def _state(sources: Iterable[Path]) -> str:
    """Tell one state of some files from another: they are only ever replaced whole."""
    digest = hashlib.sha256()
    for source in sources:
        status = source.stat()
        digest.update(f"{source.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _private_folder(folder: Path) -> Path:
    """Where copies go if they cannot lie beside their sources: this user's alone."""
    given = os.environ.get(ENVIRONMENT)
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    return (Path(given) if given else caches / "snac-mapped") / name


def _check_private(folder: Path) -> None:
    """Raise Failure if others could put copies of their own there."""
    status = folder.lstat()
    others_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or others_write:
        raise Failure(
            f"{folder} is not a folder that you alone can write to, so its copies of the cache are "
            f"not used. Remove it, or name another place: export {ENVIRONMENT}=DIR."
        )
