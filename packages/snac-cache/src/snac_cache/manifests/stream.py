"""A manifest's rows batch by batch: what is in memory does not grow with their number.

All but a hash of each id, by which it is found that none occurs twice: eight bytes a row.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snac_cache.manifests.rows import in_form
from snac_common.errors import Failure
from snac_common.full_disk import reason_of

ID = "utterance_id"
ROWS_AT_ONCE = 2**18


def stream_manifest(files: list[Path], where: Path) -> pa.RecordBatchReader:
    """Return the rows of a manifest's parquet files, one file after the other, as ``in_form``.

    Args:
        where: the manifest, for messages.

    Raises:
        Failure: if a file cannot be read, a row cannot be one, an id is repeated, or the files do
            not fit together; what is wrong with rows, while they are read.
    """
    try:
        schema = pa.unify_schemas([_schema(file) for file in files], promote_options="permissive")
    except pa.ArrowException as error:
        raise Failure(f"the files of the manifest {where} do not fit together: {error}") from error
    if (repeated := _repeated_id(files)) is not None:
        raise Failure(f"the manifest {where} holds {repeated!r} more than once")
    return pa.RecordBatchReader.from_batches(schema, _batches(files, schema))


def _schema(file: Path) -> pa.Schema:
    """Return the columns of a file in the form of a manifest, those of dictionaries plain."""
    with _opened(file) as parquet:
        schema = in_form(parquet.schema_arrow.empty_table(), str(file)).schema
    for place, field in enumerate(schema):
        if pa.types.is_dictionary(field.type):
            schema = schema.set(place, field.with_type(field.type.value_type))
    return schema.remove_metadata()


def _batches(files: list[Path], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for file in files:
        start = 0
        with _opened(file) as parquet:
            for batch in parquet.iter_batches(ROWS_AT_ONCE):
                rows = in_form(pa.Table.from_batches([batch]), str(file), first_row=start)
                start += batch.num_rows
                yield from _promoted(rows, schema).to_batches()


def _promoted(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows with all columns of a schema; those that they lack are NULL."""
    columns = [
        rows.column(field.name).cast(field.type)
        if field.name in rows.column_names
        else pa.chunked_array([pa.nulls(rows.num_rows, field.type)])
        for field in schema
    ]
    return pa.table(columns, schema=schema).combine_chunks()


def _repeated_id(files: list[Path]) -> str | None:
    """Return an id that occurs more than once, if there is one."""
    with duckdb.connect() as connection:
        found = [_hashes(connection, ids) for ids in _ids(files)]
        hashes = np.sort(np.concatenate(found)) if found else np.empty(0, np.uint64)
        del found
        equal = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
        if not len(equal):
            return None
        alike: list[str] = []  # ids may differ and have one hash
        for ids in _ids(files):
            alike += ids.filter(pa.array(np.isin(_hashes(connection, ids), equal))).to_pylist()
    return min((name for name, count in Counter(alike).items() if count > 1), default=None)


def _hashes(connection: duckdb.DuckDBPyConnection, ids: pa.Array) -> np.ndarray:
    connection.register("ids", pa.table({ID: ids}))
    return connection.execute("SELECT hash(utterance_id) AS hash FROM ids").fetchnumpy()["hash"]


def _ids(files: list[Path]) -> Iterator[pa.Array]:
    for file in files:
        with _opened(file) as parquet:
            for batch in parquet.iter_batches(ROWS_AT_ONCE, columns=[ID]):
                yield batch.column(0).cast(pa.string())


@contextmanager
def _opened(file: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
            yield parquet
    except (OSError, pa.ArrowException) as error:
        raise Failure(
            f"cannot read the manifest {file}: {reason_of(error)}. Run snac-manifest."
        ) from error
