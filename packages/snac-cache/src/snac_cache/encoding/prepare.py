"""What a cache should hold: its plan, started, carried on or extended."""

from itertools import accumulate
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from snac_cache.encoding.request import CacheRequest
from snac_cache.manifests.read import Manifest
from snac_cache.schema import SOURCE
from snac_cache.store.deletion import delete_cache
from snac_cache.store.description import (
    check_no_others,
    check_same_codes,
    describe,
    read_description,
    write_description,
)
from snac_cache.store.identity import CacheIdentity
from snac_cache.work.plan import part_sizes
from snac_cache.work.plan_file import FOLDER, Plan, write_plan
from snac_cache.work.planned_rows import ID, PlannedRows, first_rows, new_rows, restated
from snac_common.artifacts import SPLITS
from snac_common.errors import Failure

ADVICE = (
    "Give --append to encode what is new too, --overwrite to make the cache anew, or another "
    "--codes folder."
)


def prepare(manifest: Manifest, request: CacheRequest, identity: CacheIdentity) -> Plan:
    """Start, carry on or extend the cache in the folder; return the parts that it should have.

    Rows that are planned already stay where they are, with what the manifest says of them now: a
    part of which the audio has changed is thereby one that is not finished.

    Raises:
        Failure: if the folder holds a cache of another model, or the manifest has other rows and
            that was not allowed.
    """
    if request.rank.world > 1 and (request.overwrite or request.append):
        raise Failure("--overwrite and --append are for one process: run them alone first")
    if request.overwrite:
        delete_cache(request.folder)
    asked = describe(identity, request.part_rows)
    existing = read_description(request.folder)
    plan = Plan.read(request.folder / FOLDER) if existing else None
    if existing:
        check_same_codes(request.folder, existing, asked)
    if existing and plan:
        rows = _carry_on(manifest, plan, existing["part_rows"], request)
    else:
        rows = first_rows(manifest, request.part_rows)
    if plan is None or not _is_the_same(plan, rows):
        plan = write_plan(request.folder / FOLDER, rows, SOURCE)
    check_no_others(request.folder, plan.parts)
    if not existing:
        write_description(request.folder, asked)
    return plan


def _carry_on(
    manifest: Manifest, plan: Plan, part_rows: int | None, request: CacheRequest
) -> PlannedRows:
    if not request.append:
        _check_same_parts(request, part_rows)
    sizes = {split: [part.rows for part in plan.of_split(split)] for split in SPLITS}
    planned_now = {split: (table, sizes[split]) for split, table in manifest.items()}
    if _is_the_same(plan, planned_now, [ID]):
        return planned_now
    planned = {split: plan.table(split) for split in SPLITS}
    known = pa.chunked_array([c for rows in planned.values() for c in rows[ID].chunks], pa.string())
    new = {split: new_rows(table, known) for split, table in manifest.items()}
    said = pa.concat_tables(manifest.values(), promote_options="permissive")
    if not request.append:
        _check_same_rows(request.folder, new, known, said)
    rows = {}
    for split in SPLITS:
        stated = [restated(planned[split], said), new[split]]
        added = part_sizes(new[split].num_rows, request.part_rows)
        rows[split] = (
            pa.concat_tables(stated, promote_options="permissive"),
            sizes[split] + added,
        )
    return rows


def _check_same_parts(request: CacheRequest, part_rows: int | None) -> None:
    if request.part_rows not in (None, part_rows):
        before = "by the number of rows" if part_rows is None else part_rows
        raise Failure(
            f"{request.folder} holds another cache. It differs in --part-rows: {before}, now "
            f"{request.part_rows}. {ADVICE}"
        )


def _check_same_rows(
    folder: Path, new: dict[str, pa.Table], known: pa.ChunkedArray, said: pa.Table
) -> None:
    """Raise Failure, with the number and an example of each, if rows are new or gone."""
    added = pa.concat_tables([rows.select([ID]) for rows in new.values()])[ID]
    gone = known.filter(pc.invert(pc.is_in(known, value_set=said[ID])))
    differences = [
        f"{len(ids)} rows are {word}, such as {ids[0].as_py()}"
        for word, ids in (("new", added), ("gone", gone))
        if len(ids)
    ]
    if differences:
        shown = "; ".join(differences)
        raise Failure(f"{folder} holds another cache. It differs in manifest: {shown}. {ADVICE}")


def _is_the_same(plan: Plan, rows: PlannedRows, columns: list[str] | None = None) -> bool:
    """Compare part by part: two whole tables would take twice the memory.

    Args:
        columns: that are compared; all of them by default.
    """
    for split, (table, sizes) in rows.items():
        parts = plan.of_split(split)
        if sizes != [part.rows for part in parts] or sum(sizes) != table.num_rows:
            return False
        compared = table.select(columns) if columns else table
        starts = accumulate(sizes, initial=0)
        for part, start in zip(parts, starts, strict=False):
            if not plan.rows(part, columns).equals(compared.slice(start, part.rows)):
                return False
    return True
