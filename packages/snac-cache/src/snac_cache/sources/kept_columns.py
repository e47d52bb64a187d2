"""Gathers columns of any names and types, by the row, as Arrow: millions of rows stay small."""

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# A column that a scan has written may be written anew by another scan; one that is a user's own is
# not to be lost. This mark tells them apart.
SCANNED = {b"snac": b"scanned"}


class KeptColumns:
    """What sources say of their utterances, beside what the manifest knows itself."""

    def __init__(self) -> None:
        self._tables: list[pa.Table] = []

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Take the columns of some rows."""
        names = dict.fromkeys(name for row in rows for name in row)
        columns = {name: _array([row.get(name) for row in rows]) for name in names}
        table = pa.table(columns) if columns else pa.table({"": pa.nulls(len(rows))})
        self._tables.append(table)

    def table(self) -> pa.Table:
        """Return all rows; a column that holds values of several kinds becomes text."""
        kinds: dict[str, set[pa.DataType]] = {}
        for table in self._tables:
            for field in table.schema:
                kinds.setdefault(field.name, set()).add(field.type)
        kinds.pop("", None)
        types = {name: _common(found) for name, found in kinds.items()}
        fields = [pa.field(name, kind, metadata=SCANNED) for name, kind in types.items()]
        columns = [
            pa.chunked_array([_of(table, field) for table in self._tables], type=field.type)
            for field in fields
        ]
        return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _array(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _common(kinds: set[pa.DataType]) -> pa.DataType:
    """Return the type that holds all; numbers stay numbers."""
    kinds = kinds - {pa.null()}
    if len(kinds) == 1:
        return kinds.pop()
    if kinds == {pa.int64(), pa.float64()}:
        return pa.float64()
    return pa.string()


def _of(table: pa.Table, field: pa.Field) -> pa.Array:
    if field.name not in table.column_names:
        return pa.nulls(table.num_rows, field.type)
    return pc.cast(table.column(field.name).combine_chunks(), field.type)
