"""What is said of the utterances: the manifest, and a table of texts that goes before it."""

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from snac_cache.manifests.limit import chosen
from snac_cache.manifests.where import rows_where
from snac_cache.rows.request import RowsRequest
from snac_cache.schema import MANIFEST
from snac_cache.store.code_store import CodeStore
from snac_cache.store.resolve import open_manifest
from snac_common.errors import BadInput, Failure

READERS = {
    ".csv": "read_csv(?, all_varchar = true)",
    ".tsv": "read_csv(?, delim = '\t', all_varchar = true)",
    ".jsonl": "read_json(?, format = 'newline_delimited')",
    ".parquet": "read_parquet(?)",
}
ID = "utterance_id"


def read_said(request: RowsRequest) -> pa.Table:
    """Return the manifest's rows, mapped, with the columns of ``text_from`` before its own.

    Raises:
        BadInput: if the pattern names a column that there is not, or the table cannot be joined.
    """
    said = open_manifest(request.manifest)
    if request.text_from is not None:
        said = _with_columns(said, request.text_from)
    if lacking := [name for name in request.pattern.columns if name not in said.column_names]:
        own = [name for name in said.column_names if name not in MANIFEST.names]
        raise BadInput(
            f"the manifest {request.manifest} has no column {lacking[0]} for the prompt. Its own "
            f"columns: {', '.join(own) or 'none'}. Name one in --prompt, or give --text-from FILE."
        )
    return said


def choose(
    store: CodeStore, said: pa.Table, selected: np.ndarray | None, limit: int
) -> np.ndarray | None:
    """Return which rows of a split to take: indices of the store, ascending; None for all.

    Args:
        selected: the manifest's rows that the condition is true for; None without a condition.
        limit: how many of those to take; 0 for all.
    """
    if selected is None and not limit:
        return None
    indices = np.arange(len(store))
    if selected is not None:
        indices = indices[np.isin(store.manifest_rows, selected)]
    if limit:
        ids = said.column(ID).take(pa.array(store.manifest_rows[indices]))
        indices = indices[chosen(ids, limit)]
    return indices


def select(request: RowsRequest, said: pa.Table) -> np.ndarray | None:
    """Return the manifest's rows that the request's condition is true for; None without one."""
    return None if request.where is None else rows_where(said, request.where)


def _with_columns(said: pa.Table, path: Path) -> pa.Table:
    others = _read(path)
    ids = others.column(ID)
    if pc.count_distinct(ids).as_py() != len(ids):
        raise BadInput(f"--text-from {path} holds an utterance_id more than once")
    rows = pc.index_in(said.column(ID), value_set=ids)
    if rows.null_count == len(rows):
        first = said.column(ID)[0].as_py() if said.num_rows else None
        raise BadInput(
            f"--text-from {path} knows no utterance of the manifest, such as {first!r}. Are its "
            "values of utterance_id those of the manifest?"
        )
    for name in others.column_names:
        if name == ID:
            continue
        if name in MANIFEST.names:
            raise BadInput(f"--text-from {path}: the manifest itself says {name}; rename yours")
        column = others.column(name).take(rows)
        place = said.schema.get_field_index(name)
        said = (
            said.append_column(name, column) if place < 0 else said.set_column(place, name, column)
        )
    return said


def _read(path: Path) -> pa.Table:
    reader = READERS.get(path.suffix)
    if reader is None:
        raise BadInput(f"--text-from {path}: its name must end in {', '.join(READERS)}")
    with duckdb.connect() as connection:
        try:
            query = f"SELECT {ID}::VARCHAR AS {ID}, * EXCLUDE ({ID}) FROM {reader}"
            found = connection.sql(query, params=[str(path)]).to_arrow_table()
        except duckdb.Error as error:
            raise BadInput(f"--text-from {path} cannot be read: {error}") from error
    if found.column(ID).null_count:
        raise Failure(f"--text-from {path}: a row has no utterance_id")
    return found
