"""Reading and writing manifests: parquet files, and JSON lines on a pipe."""

import json
import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from snac_cache.parquet import write_table
from snac_cache.schema import MANIFEST, REJECTS
from snac_model.artifacts import SPLITS
from snac_model.errors import Failure

LINES_AT_ONCE = 4096
REQUIRED = [field.name for field in MANIFEST if not field.nullable]


def read_manifest(where: str | Path) -> dict[str, pa.Table]:
    """Read a manifest, by split.

    Args:
        where: a folder with ``train.parquet`` and ``val.parquet`` (one may be absent), one such
            file, a file of JSON lines, or ``-`` for JSON lines on standard input.

    Raises:
        Failure: if there is no manifest, or a row lacks a column or repeats an id.
    """
    if str(where) == "-":
        table = parse_json_lines(sys.stdin, "standard input")
    elif Path(where).is_dir():
        table = pa.concat_tables([_read_parquet(file) for file in _split_files(Path(where))])
    elif Path(where).suffix == ".parquet":
        table = _read_parquet(Path(where))
    else:
        table = _read_json_lines(Path(where))
    _check_unique(table, where)
    return {
        split: table.filter(pc.equal(table.column("split"), split)).combine_chunks()
        for split in SPLITS
    }


def write_manifest(rows: dict[str, pa.Table], rejects: pa.Table, folder: Path) -> None:
    """Write ``train.parquet``, ``val.parquet`` and ``rejects.parquet``."""
    for split, table in rows.items():
        write_table(table.cast(MANIFEST), folder / f"{split}.parquet")
    write_table(rejects.cast(REJECTS), folder / "rejects.parquet")


def write_json_lines(tables: Iterable[pa.Table], output: IO[str]) -> None:
    """Write rows as JSON lines."""
    for table in tables:
        for batch in table.to_batches(max_chunksize=1024):
            output.writelines(
                json.dumps(row, ensure_ascii=False) + "\n" for row in batch.to_pylist()
            )
    output.flush()


def parse_json_lines(lines: Iterable[str], name: str) -> pa.Table:
    """Parse manifest rows; raises Failure naming the first line that is not one."""
    places = ((f"{name}, line {number}", line) for number, line in enumerate(lines, start=1))
    present = (place for place in places if place[1].strip())
    batches = []
    while some := list(islice(present, LINES_AT_ONCE)):
        batches.append(_batch([(place, _parse_line(line, place)) for place, line in some]))
    return pa.Table.from_batches(batches, schema=MANIFEST)


def _parse_line(line: str, place: str) -> dict[str, object]:
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


def _batch(rows: list[tuple[str, dict[str, object]]]) -> pa.RecordBatch:
    """Convert rows at once; where that fails, one by one to find the line at fault."""
    try:
        return pa.RecordBatch.from_pylist([row for _, row in rows], schema=MANIFEST)
    except (TypeError, ValueError, pa.ArrowException) as error:
        if len(rows) == 1:
            raise Failure(f"{rows[0][0]} is not a manifest row: {error}") from error
        for row in rows:
            _batch([row])
        raise


def _read_json_lines(path: Path) -> pa.Table:
    try:
        with path.open(encoding="utf-8") as file:
            return parse_json_lines(file, str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"cannot read the manifest {path}: {error}. Run snac-manifest.") from error


def _split_files(folder: Path) -> list[Path]:
    files = [folder / f"{split}.parquet" for split in SPLITS]
    present = [file for file in files if file.is_file()]
    if not present:
        raise Failure(f"no manifest in {folder}. Run snac-manifest, or give --manifest.")
    return present


def _read_parquet(path: Path) -> pa.Table:
    try:
        return pq.read_table(path, columns=MANIFEST.names).cast(MANIFEST)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise Failure(f"{path} is not a manifest: {error}. Run snac-manifest.") from error


def _check_unique(table: pa.Table, where: str | Path) -> None:
    counts = table.column("utterance_id").value_counts()
    for entry in counts.filter(pc.greater(counts.field("counts"), 1)):
        raise Failure(f"the manifest {where} holds {entry['values'].as_py()!r} more than once")
