"""The form of manifest rows: which columns they must have, and what may stand in them."""

from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from snac_cache.schema import MANIFEST, is_reserved
from snac_common.artifacts import SPLITS
from snac_common.errors import Failure

DERIVED = "duration_s"
REQUIRED = [field.name for field in MANIFEST if not field.nullable and field.name != DERIVED]


def in_form(table: pa.Table, name: str, first_row: int = 0) -> pa.Table:
    """Return rows with the manifest's own columns first, each with its type, then all others.

    Own columns that are not required and not there are NULL; the duration follows from frames and
    rate.

    Args:
        name: tells where the rows are, in messages.
        first_row: the number of the first one there.

    Raises:
        Failure: if a required column is missing or empty in a row, a value cannot be what its
            column holds, or a split is neither train nor val.
    """
    if missing := [column for column in REQUIRED if column not in table.column_names]:
        raise Failure(
            f"{name} is not a manifest: it lacks {', '.join(missing)}. Run snac-manifest."
        )
    columns = {
        field.name: _own(table, field, name, first_row)
        for field in MANIFEST
        if field.name != DERIVED
    }
    _check_values(columns, name, first_row)
    seconds = pc.divide(
        columns["num_frames"].cast(pa.float64()), columns["source_sample_rate"].cast(pa.float64())
    )
    own = pa.table(
        [columns.get(field.name, seconds) for field in MANIFEST], schema=MANIFEST
    ).replace_schema_metadata(None)
    for other in table.column_names:
        if is_reserved(other):
            raise Failure(f"{name}: the cache has a column {other} of its own; rename yours")
        if other not in MANIFEST.names:
            own = own.append_column(table.schema.field(other), table.column(other))
    return own


def _own(table: pa.Table, field: pa.Field, name: str, first_row: int) -> pa.ChunkedArray:
    if field.name not in table.column_names:
        return pa.chunked_array([pa.nulls(table.num_rows, field.type)])
    try:
        column = table.column(field.name).cast(field.type)
    except pa.ArrowException as error:
        raise Failure(f"{name}, column {field.name}: {error}") from error
    if column.null_count and not field.nullable:
        row = first_row + pc.index(column.is_null(), True).as_py()
        raise Failure(f"{name}: row {row} has no {field.name}")
    return column


def _check_values(columns: dict[str, pa.ChunkedArray], name: str, first_row: int) -> None:
    refuse = partial(_refuse, columns=columns, first_row=first_row)
    known = pc.is_in(columns["split"], value_set=pa.array(SPLITS))
    refuse(pc.invert(known), problem=f"{name}: split is neither train nor val", shown="split")
    for column in ("source_sample_rate", "num_frames"):
        small = pc.less_equal(columns[column], 0)
        refuse(small, problem=f"{name}: {column} is not above 0", shown=column)
    empty = pc.equal(pc.utf8_length(columns["utterance_id"]), 0)
    refuse(empty, problem=f"{name}: the utterance_id is empty", shown="audio_path")


def _refuse(
    wrong: pa.ChunkedArray,
    columns: dict[str, pa.ChunkedArray],
    first_row: int,
    problem: str,
    shown: str,
) -> None:
    count = pc.sum(wrong).as_py() or 0
    if count:
        row = pc.index(wrong, True).as_py()
        utterance = columns["utterance_id"][row].as_py()
        value = columns[shown][row].as_py()
        raise Failure(
            f"{problem} in {count} rows, such as row {first_row + row}: {utterance!r} has {shown} "
            f"{value!r}"
        )
