"""The manifest's target columns, filled in from what the parts say, by id."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from snac_cache.manifests.read import Manifest
from snac_cache.schema import MANIFEST, REJECTS, TARGETS
from snac_cache.targets.results import GIVEN, NATIVE, PartResults
from snac_common.addresses import said
from snac_common.errors import Failure

ID = "utterance_id"
MEASURED = ("bandwidth_hz", "target_lag_samples", "target_gain_db")


@dataclass(frozen=True)
class FilledIn:
    """A manifest with its targets, its rows that have none, and how many there are of each kind.

    Attributes:
        kinds: rows that are ``native``, ``made``, ``given`` and ``rejected``.
        clipped: rows whose targets were cut at full scale.
    """

    manifest: Manifest
    rejects: pa.Table
    kinds: Counter[str]
    clipped: int


def fill_in(manifest: Manifest, parts: list[PartResults], folder: Path) -> FilledIn:
    """Fill in the target columns of all rows; the user's own columns stay as they are.

    A row that is its own target gets its path as the manifest states it now, one whose target was
    made its place in ``folder`` as it is called now: both may have moved since.

    Raises:
        Failure: if a row is in none of the parts.
    """
    rows = pa.concat_tables([TARGETS.empty_table(), *(part.rows for part in parts)])
    rows = rows.select([ID, "kind", "target_path", *MEASURED, "clipped_samples"])
    rejects = pa.concat_tables([REJECTS.empty_table(), *(part.rejects for part in parts)])
    filled: Manifest = {}
    chosen = []
    for split, table in manifest.items():
        results = _of(table, rows)
        chosen.append(results)
        filled[split] = _with_columns(table, results, folder)
    done = pa.concat_tables(chosen)
    kinds = Counter(done["kind"].to_pylist())
    clipped = pc.sum(pc.greater(done["clipped_samples"], 0)).as_py() or 0
    return FilledIn(filled, _restated(rejects, manifest), kinds, clipped)


def _of(table: pa.Table, rows: pa.Table) -> pa.Table:
    """Return the results of a manifest's rows, in their order."""
    index = pc.index_in(table[ID], value_set=rows[ID])
    if index.null_count:
        unknown = table[ID].filter(index.is_null())[0].as_py()
        raise Failure(
            f"{index.null_count} rows, such as {unknown!r}, are not among the targets that were "
            "made. Was another manifest used here meanwhile? Give the same command again."
        )
    return rows.take(index)


def _with_columns(table: pa.Table, results: pa.Table, folder: Path) -> pa.Table:
    made = pc.binary_join_element_wise(said(folder.absolute()), results["target_path"], "/")
    made = pc.if_else(pc.equal(results["kind"], GIVEN), results["target_path"], made)
    is_native = pc.equal(results["kind"], NATIVE)
    columns = {name: results[name] for name in MEASURED}
    columns["target_path"] = pc.if_else(is_native, table["audio_path"], made)
    for name, column in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, MANIFEST.field(name), column)
    return table


def _restated(rejects: pa.Table, manifest: Manifest) -> pa.Table:
    """Return the rejects of the manifest's rows, with split and path as it states them now."""
    names = [ID, "split", "audio_path"]
    said = pa.concat_tables([table.select(names) for table in manifest.values()])
    index = pc.index_in(rejects[ID], value_set=said[ID])
    known = rejects.filter(index.is_valid())
    stated = said.take(index.drop_null())
    for name in names[1:]:
        place = REJECTS.get_field_index(name)
        known = known.set_column(place, REJECTS.field(name), stated[name])
    return known
