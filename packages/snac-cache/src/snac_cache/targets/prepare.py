"""Which rows a folder of targets has, in which parts: planned once, and carried on."""

import pyarrow as pa
import pyarrow.compute as pc

from snac_cache.manifests.read import Manifest
from snac_cache.schema import SOURCE
from snac_cache.targets.choice import FILES
from snac_cache.targets.request import TargetRequest
from snac_cache.targets.results import read_finished
from snac_cache.work.plan import Part, part_sizes
from snac_cache.work.plan_file import FOLDER, Plan, write_plan
from snac_cache.work.planned_rows import ID, PlannedRows, first_rows, new_rows, restated
from snac_common.artifacts import SPLITS
from snac_common.console import note
from snac_common.errors import BadInput, Failure


def prepare(manifest: Manifest, request: TargetRequest) -> Plan:
    """Plan the rows of a manifest into parts; rows that are planned already stay where they are.

    New rows come into new parts. Rows that the manifest no longer has stay in parts that are
    finished, and leave those that are to be made.
    """
    columns = _columns(request)
    said = {split: table.select(columns) for split, table in manifest.items()}
    plan, planned = _read_plan(request)
    if plan and all(planned[split].equals(table) for split, table in said.items()):
        return plan
    rows = _carry_on(said, plan, planned, request) if plan else first_rows(said, request.part_rows)
    if plan and _is_the_same(plan, planned, rows):
        return plan
    return write_plan(request.folder / FOLDER, rows, SOURCE)


def _columns(request: TargetRequest) -> list[str]:
    """Return what workers must know of a row."""
    named = request.engine.name == FILES and not request.engine.folders
    return [*SOURCE, "audio_path", *(["target_path"] if named else [])]


def _read_plan(request: TargetRequest) -> tuple[Plan | None, Manifest]:
    """Read the plan that is there, and its rows.

    A damaged one is made anew: targets tell of themselves what they are.
    """
    try:
        if plan := Plan.read(request.folder / FOLDER):
            columns = _columns(request)
            return plan, {split: plan.table(split).select(columns) for split in SPLITS}
    except (Failure, KeyError) as error:
        note(f"{error}\nThe plan of {request.folder} is made anew; finished targets are kept.")
    return None, {}


def _carry_on(said: Manifest, plan: Plan, planned: Manifest, request: TargetRequest) -> PlannedRows:
    everything = pa.concat_tables(said.values())
    known = pa.concat_tables(planned.values())[ID]
    carried: PlannedRows = {}
    for split, table in said.items():
        stay, sizes = _without_gone(planned[split], plan.of_split(split), everything[ID], request)
        new = new_rows(table, known)
        sizes += part_sizes(new.num_rows, request.part_rows)
        carried[split] = (pa.concat_tables([restated(stay, everything), new]), sizes)
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


def _is_the_same(plan: Plan, planned: Manifest, rows: PlannedRows) -> bool:
    return all(
        sizes == [part.rows for part in plan.of_split(split)] and table.equals(planned[split])
        for split, (table, sizes) in rows.items()
    )


def check_names_targets(manifest: Manifest) -> None:
    """Raise BadInput unless a row names a target other than its own audio."""
    for table in manifest.values():
        if pc.any(pc.not_equal(table["target_path"], table["audio_path"])).as_py():
            return
    raise BadInput(
        "--engine files: say where they are with --from DIR; or name them in the manifest, in its "
        "column target_path"
    )
