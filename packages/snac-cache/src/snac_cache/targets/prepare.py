"""Which rows a folder of targets has, in which parts: planned once, and carried on."""

import pyarrow as pa
import pyarrow.compute as pc

from snac_cache.manifests.read import Manifest
from snac_cache.schema import SOURCE
from snac_cache.targets.request import TargetRequest
from snac_cache.targets.results import read_finished
from snac_cache.work.plan import Part, part_sizes
from snac_cache.work.plan_file import FOLDER, Plan, write_plan
from snac_model.artifacts import SPLITS
from snac_model.console import note
from snac_model.errors import Failure

ID = "utterance_id"
PLANNED = [*SOURCE, "audio_path"]
PlannedRows = dict[str, tuple[pa.Table, list[int]]]


def prepare(manifest: Manifest, request: TargetRequest) -> Plan:
    """Plan the rows of a manifest into parts; rows that are planned already stay where they are.

    New rows come into new parts. Rows that the manifest no longer has stay in parts that are
    finished, and leave those that are to be made.
    """
    folder = request.folder / FOLDER
    plan = _read_plan(request)
    rows = {
        split: (table.select(PLANNED), part_sizes(table.num_rows, request.part_rows))
        for split, table in manifest.items()
    }
    if plan:
        rows = _carry_on(rows, plan, request)
    if plan is None or not _is_the_same(plan, rows):
        plan = write_plan(folder, rows, SOURCE)
    return plan


def _read_plan(request: TargetRequest) -> Plan | None:
    """Read the plan that is there; a damaged one is made anew, since targets tell of themselves."""
    try:
        plan = Plan.read(request.folder / FOLDER)
        if plan:
            for split in SPLITS:
                plan.table(split, PLANNED)
        return plan
    except (Failure, KeyError) as error:
        note(f"{error}\nThe plan of {request.folder} is made anew; finished targets are kept.")
        return None


def _carry_on(rows: PlannedRows, plan: Plan, request: TargetRequest) -> PlannedRows:
    said = pa.concat_tables([table for table, _ in rows.values()])
    known = pa.concat_tables([plan.table(split, [ID]) for split in SPLITS])[ID]
    carried: PlannedRows = {}
    for split, (table, _) in rows.items():
        parts = [part for part in plan.parts if part.split == split]
        planned, sizes = _without_gone(plan.table(split, PLANNED), parts, said[ID], request)
        new = table.filter(pc.invert(pc.is_in(table[ID], value_set=known)))
        sizes += part_sizes(new.num_rows, request.part_rows)
        carried[split] = (pa.concat_tables([_restate(planned, said), new]), sizes)
    return carried


def _without_gone(
    planned: pa.Table, parts: list[Part], said: pa.ChunkedArray, request: TargetRequest
) -> tuple[pa.Table, list[int]]:
    """Drop rows that the manifest lacks from parts that are to be made; return the sizes too."""
    stays = pc.is_in(planned[ID], value_set=said).to_numpy(zero_copy_only=False).copy()
    sizes, start = [], 0
    for part in parts:
        of_part = stays[start : start + part.rows]
        start += part.rows
        if not of_part.all() and read_finished(part, request):
            of_part[:] = True
        sizes.append(int(of_part.sum()))
    return planned.filter(pa.array(stays)), sizes


def _restate(planned: pa.Table, said: pa.Table) -> pa.Table:
    """Return planned rows as the manifest states them now; those that it lacks, as they were."""
    rows = pc.index_in(planned[ID], value_set=said[ID])
    if rows.null_count:
        said = pa.concat_tables([said, planned.filter(rows.is_null())])
        rows = pc.index_in(planned[ID], value_set=said[ID])
    return said.take(rows)


def _is_the_same(plan: Plan, rows: PlannedRows) -> bool:
    for split, (table, sizes) in rows.items():
        if sizes != [part.rows for part in plan.parts if part.split == split]:
            return False
        if not table.equals(plan.table(split, PLANNED)):
            return False
    return True
