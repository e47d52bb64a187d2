"""Manifest rows as JSON lines."""

import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from snac_cache.manifests.rows import REQUIRED
from snac_cache.schema import MANIFEST
from snac_common.artifacts import SPLITS
from snac_common.errors import Failure
from snac_common.full_disk import reason_of

LINES_AT_ONCE = 4096


def write_json_lines(tables: Iterable[pa.Table], output: IO[str]) -> None:
    """Write rows as JSON lines; dates and the like in a user's own columns become text."""
    for table in tables:
        for batch in table.to_batches(max_chunksize=1024):
            output.writelines(
                json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in batch.to_pylist()
            )
    output.flush()


def read_json_lines(path: Path) -> pa.Table:
    """Read a file of manifest rows; raises Failure if it cannot be read."""
    try:
        with path.open(encoding="utf-8") as file:
            return parse_json_lines(file, str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(
            f"cannot read the manifest {path}: {reason_of(error)}. Run snac-manifest."
        ) from error


def parse_json_lines(lines: Iterable[str], name: str) -> pa.Table:
    """Parse manifest rows; raises Failure naming the first line that is not one."""
    places = ((f"{name}, line {number}", line) for number, line in enumerate(lines, start=1))
    present = (place for place in places if place[1].strip())
    tables = [MANIFEST.empty_table()]
    while some := list(islice(present, LINES_AT_ONCE)):
        tables.append(_table([(place, _parse_line(line, place)) for place, line in some]))
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise Failure(f"{name}: a column holds values of several kinds: {error}") from error


def _parse_line(line: str, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
        if not isinstance(row, dict):
            raise ValueError("it is no object")
        if missing := [name for name in REQUIRED if row.get(name) is None]:
            raise ValueError(f"it lacks {', '.join(missing)}")
        if row["split"] not in SPLITS:
            raise ValueError(f"split is {row['split']!r}, not one of {', '.join(SPLITS)}")
    except ValueError as error:
        raise Failure(f"{place} is not a manifest row: {error}") from error
    return row


def _table(rows: list[tuple[str, dict[str, Any]]]) -> pa.Table:
    """Convert rows at once; where that fails, one by one to find the line at fault."""
    names = dict.fromkeys(name for _, row in rows for name in row)
    try:
        return pa.table({name: _column(name, [row.get(name) for _, row in rows]) for name in names})
    except (TypeError, ValueError, OverflowError, pa.ArrowException) as error:
        if len(rows) == 1:
            raise Failure(f"{rows[0][0]} is not a manifest row: {error}") from error
        for row in rows:
            _table([row])
        raise Failure(
            f"{rows[0][0]} and the lines after it do not fit together: {error}"
        ) from error


def _column(name: str, values: list[Any]) -> pa.Array:
    if name not in MANIFEST.names or name == "duration_s":
        return pa.array(values)
    try:
        return pa.array(values, MANIFEST.field(name).type)
    except (TypeError, ValueError, OverflowError, pa.ArrowException) as error:
        raise ValueError(f"{name}: {error}") from error
