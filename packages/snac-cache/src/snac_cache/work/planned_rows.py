"""Rows on their way into a plan: those of a manifest at first, then those that stay and the new."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from snac_cache.work.plan import part_sizes

ID = "utterance_id"

# The rows of each split, and how many of them each part has.
PlannedRows = dict[str, tuple[pa.Table, list[int]]]


def first_rows(manifest: Mapping[str, pa.Table], part_rows: int | None) -> PlannedRows:
    """Return the rows of a first plan: all of a manifest, in parts of equal size."""
    return {
        split: (table, part_sizes(table.num_rows, part_rows)) for split, table in manifest.items()
    }


def new_rows(table: pa.Table, known: pa.ChunkedArray) -> pa.Table:
    """Return the rows whose ids are not known."""
    return table.filter(pc.invert(pc.is_in(table[ID], value_set=known)))


def restated(planned: pa.Table, manifest: pa.Table) -> pa.Table:
    """Return planned rows as a manifest has them now; those that it lacks, as they were."""
    rows = pc.index_in(planned[ID], value_set=manifest[ID])
    if rows.null_count:
        gone = planned.filter(rows.is_null())
        manifest = pa.concat_tables([manifest, gone], promote_options="permissive")
        rows = pc.index_in(planned[ID], value_set=manifest[ID])
    return manifest.take(rows)
