"""Reading manifests: parquet files, and JSON lines in a file or on a pipe."""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from snac_cache.manifests.json_lines import parse_json_lines, read_json_lines
from snac_cache.manifests.rows import in_form
from snac_cache.manifests.shards import manifest_files
from snac_cache.parquet import read_table
from snac_common.artifacts import SPLITS
from snac_common.errors import Failure
from snac_common.full_disk import reason_of

Manifest = dict[str, pa.Table]


def read_manifest(where: str | Path) -> Manifest:
    """Read a manifest, by split: its own columns first, then all others that the rows have.

    Args:
        where: a folder with ``train.parquet`` and ``val.parquet`` (one may be absent, and each may
            be shards, ``train/part-*.parquet``), one such file, a file of JSON lines, or ``-`` for
            JSON lines on standard input.

    Raises:
        Failure: if there is no manifest, or a row cannot be one, names another split or repeats an
            id.
    """
    if str(where) == "-":
        table = in_form(parse_json_lines(sys.stdin, "standard input"), "standard input")
    elif Path(where).is_dir():
        tables = [_read_parquet(file) for file in manifest_files(Path(where))]
        table = _together(tables, where)
    elif Path(where).suffix == ".parquet":
        table = _read_parquet(Path(where))
    else:
        table = in_form(read_json_lines(Path(where)), str(where))
    _check_unique(table, where)
    return by_split(table)


def _read_parquet(path: Path) -> pa.Table:
    try:
        table = read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise Failure(
            f"cannot read the manifest {path}: {reason_of(error)}. Run snac-manifest."
        ) from error
    return in_form(table, str(path))


def _together(tables: list[pa.Table], where: str | Path) -> pa.Table:
    """Join the files of a manifest; a column that one of them lacks is NULL there."""
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise Failure(
            f"the files of the manifest {where} do not fit together: {error}. Give each column one "
            "type in all of them."
        ) from error


def by_split(table: pa.Table) -> Manifest:
    """Return the rows of each split, as views where they are together."""
    return {name: _of_split(table, name) for name in SPLITS}


def _of_split(table: pa.Table, name: str) -> pa.Table:
    chosen = pc.equal(table.column("split"), name)
    count = pc.sum(chosen).as_py() or 0
    together = table.slice(max(pc.index(chosen, True).as_py(), 0), count)
    if pc.all(pc.equal(together.column("split"), name)).as_py():
        return together
    return table.filter(chosen)


def _check_unique(table: pa.Table, where: str | Path) -> None:
    ids = table.column("utterance_id")
    if pc.count_distinct(ids).as_py() == len(ids):
        return
    counts = ids.value_counts()
    for entry in counts.filter(pc.greater(counts.field("counts"), 1)):
        raise Failure(
            f"the manifest {where} holds {entry['values'].as_py()!r} more than once: keep one row "
            "for each utterance_id, or run snac-manifest again"
        )
