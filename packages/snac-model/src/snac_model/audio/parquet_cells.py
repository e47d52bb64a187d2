"""Audio that is a value in a parquet file, such as those of the Hugging Face Hub.

A value can only be had with its whole row group, so the groups read last are kept: rows that are
asked for in an order like the file's cost one reading of each group.
"""

import os
import threading
from collections import OrderedDict
from typing import Any

from snac_common.addresses import is_address
from snac_common.object_store import Ranges
from snac_model.audio.error import AudioError, describe

MOST_BYTES = 256 * 2**20  # of row groups that a process keeps; the last one stays in any case

Key = tuple[str, int, int, int, str]


class _Kept:
    """The row groups that were read last."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, as in a forked process: another thread may have held the lock."""
        self.lock = threading.Lock()
        self.columns: OrderedDict[Key, Any] = OrderedDict()

    def column(self, key: Key) -> Any:
        """Return a column of a row group: one that several threads ask for is read once."""
        with self.lock:
            if key not in self.columns:
                self.columns[key] = _read(key)
            self.columns.move_to_end(key)
            column = self.columns[key]
            while len(self.columns) > 1 and self._bytes() > MOST_BYTES:
                self.columns.popitem(last=False)
            return column

    def _bytes(self) -> int:
        return sum(column.nbytes for column in self.columns.values())


_kept = _Kept()
os.register_at_fork(after_in_child=_kept.forget)


def read_cell(path: str, group: int, row: int, column: str) -> bytes:
    """Return the bytes of one value; none of a NULL.

    Args:
        path: or an address in an object store.
        row: counted from the row group's first.
        column: its name; within a struct, such as ``audio.bytes``.

    Raises:
        AudioError: ``unreadable`` where there is no such value.
    """
    import pyarrow as pa

    try:
        values = _kept.column((path, *_state(path), group, column))
        if row >= len(values):
            raise AudioError("unreadable", f"row group {group} has {len(values)} rows")
        content = values[row].as_py()
    except (OSError, pa.ArrowException, KeyError, IndexError) as error:
        raise AudioError("unreadable", describe(error)) from error
    if not isinstance(content, bytes | None):
        raise AudioError("unreadable", f"the column {column} does not hold binary data")
    return content or b""


def _state(path: str) -> tuple[int, int]:
    """Return what tells one state of a file from another; nothing of one in an object store."""
    if is_address(path):
        return 0, 0
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def _read(key: Key) -> Any:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    path, _, _, group, name = key
    source = Ranges(path) if is_address(path) else path
    with pq.ParquetFile(source, pre_buffer=True) as file:
        if group >= file.num_row_groups:
            raise IndexError(f"it has {file.num_row_groups} row groups, no number {group}")
        outer, *inner = _steps(name, file.schema_arrow.names)
        values = file.read_row_group(group, columns=[name]).column(outer)
    return pc.struct_field(values, inner) if inner else values


def _steps(name: str, columns: list[str]) -> list[str]:
    """Return a column and the fields in it that a name with dots means."""
    for outer in sorted(columns, key=len, reverse=True):
        if name == outer:
            return [outer]
        if name.startswith(f"{outer}."):
            return [outer, *name.removeprefix(f"{outer}.").split(".")]
    raise KeyError(f"it has no column {name}")
