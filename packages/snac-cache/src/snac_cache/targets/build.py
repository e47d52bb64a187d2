"""Targets for a whole manifest: plan the parts, make what is not finished, and sum up."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from snac_cache.manifests.bandwidth import COLUMNS, say_if_narrow
from snac_cache.manifests.read import Manifest
from snac_cache.schema import TARGET_RATE
from snac_cache.targets.choice import FILES
from snac_cache.targets.fill_in import FilledIn, fill_in
from snac_cache.targets.prepare import prepare
from snac_cache.targets.request import TargetRequest
from snac_cache.targets.results import (
    GIVEN,
    MADE,
    NATIVE,
    PartDone,
    PartResults,
    read_all_finished,
)
from snac_cache.targets.reuse import Listings, is_complete
from snac_cache.work.engine import Engine, LocalEngine
from snac_cache.work.lock import one_at_a_time, working_in
from snac_cache.work.plan import Part
from snac_cache.work.plan_file import FOLDER
from snac_cache.work.ranks import Rank
from snac_common.files import clear_leftovers
from snac_common.jobs import NotRecorded, Work

RECORDS = (FOLDER, "parts", "rejects")
IN_THIS_PROCESS = ("cpu", "cuda", "cuda:0")  # see make_parts.see_one_gpu


@dataclass
class TargetReport:
    """What one command did, and what all finished parts hold.

    Attributes:
        made: targets that this command made.
        skipped: targets of this rank's rows that were there already.
        parts_left: to other ranks, which have not finished them.
        native: rows that are their own targets.
        given: rows whose target was there before, and is used in place.
        targets: rows that have a target.
        clipped: targets that were cut at full scale.
        rejects: rows without a target, by reason.
        filled: the manifest with its targets; None while parts are left.
    """

    made: int = 0
    skipped: int = 0
    parts_left: int = 0
    native: int = 0
    given: int = 0
    targets: int = 0
    clipped: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    filled: FilledIn | None = None


def make_targets(
    manifest: Manifest,
    request: TargetRequest,
    advance: Callable[[int], object],
    work: Work | None = None,
    engine: Engine | None = None,
) -> TargetReport:
    """Make a target for every row that is not natively 48 kHz; measure every row's bandwidth.

    Args:
        manifest: rows by split.
        advance: told of utterances as they are done.
        work: keeps the record of this work, if there is one.
        engine: runs the workers; by default on this machine, on the request's devices.

    Raises:
        Failure: if the engine cannot be had, another command is at work in the folder, or a worker
            fails.
    """
    from snac_cache.targets.make_parts import make_parts

    report = TargetReport()
    work = work or NotRecorded()
    with working_in(request.folder, "snac-upsample", shared=request.rank.world > 1):
        with one_at_a_time(request.folder):
            for name in RECORDS:
                clear_leftovers(request.folder / name, recursive=True)
            plan = prepare(manifest, request)
        mine = _unfinished(plan.parts, request, report, advance)
        work.begin(*_shares(plan.parts, mine, request.rank))
        if mine:
            count = _both(advance, work.count)
            task = partial(
                make_parts, plan=plan, request=request, with_engine=_needs_engine(manifest)
            )
            (engine or local_engine(request.devices)).run(
                task, mine, _receiver(report, count), partial(_not_finished, request)
            )
        _sum_up(manifest, plan.parts, request, report)
    return report


def _shares(parts: list[Part], unfinished: list[Part], rank: Rank) -> tuple[int, int]:
    """Return how many rows this rank has in all, and in parts that are finished."""
    total = sum(part.rows for part in rank.share(parts))
    return total, total - sum(part.rows for part in unfinished)


def _both(
    first: Callable[[int], object], second: Callable[[int], object]
) -> Callable[[int], object]:
    return lambda count: (first(count), second(count))


def _unfinished(
    parts: list[Part],
    request: TargetRequest,
    report: TargetReport,
    advance: Callable[[int], object],
) -> list[Part]:
    """Return this rank's parts in which something is to be done."""
    mine = request.rank.share(parts)
    if request.verify:
        return mine
    unfinished = []
    for part, found in zip(mine, _finished(mine, request), strict=True):
        if found:
            report.skipped += found.record.made
            advance(part.rows)
        else:
            unfinished.append(part)
    return unfinished


def _not_finished(request: TargetRequest, parts: list[Part]) -> list[Part]:
    finished = _finished(parts, request)
    return [part for part, found in zip(parts, finished, strict=True) if not found]


def _finished(parts: list[Part], request: TargetRequest) -> Iterator[PartResults | None]:
    """Yield each part's results; None where there is something to do."""
    listings = Listings(request.folder)
    for found in read_all_finished(parts, request):
        yield found if found and is_complete(found, request, listings) else None


def local_engine(devices: list[str]) -> LocalEngine:
    """Return workers on this machine; one alone works in this process where it sees its device."""
    return LocalEngine(devices, apart=devices[0] not in IN_THIS_PROCESS)


def _receiver(report: TargetReport, advance: Callable[[int], object]) -> Callable[[Any], None]:
    """Return what takes a worker's messages: counts of rows, and what became of a part."""

    def receive(message: int | PartDone) -> None:
        if isinstance(message, int):
            advance(message)
        else:
            report.made += message.made
            report.skipped += message.kept

    return receive


def _needs_engine(manifest: Manifest) -> bool:
    rates = [table["source_sample_rate"] for table in manifest.values()]
    return any(pc.any(pc.less(rate, TARGET_RATE)).as_py() for rate in rates)


def _sum_up(
    manifest: Manifest, parts: list[Part], request: TargetRequest, report: TargetReport
) -> None:
    """Count what all finished parts hold; fill in the manifest if that is all of them."""
    found = list(read_all_finished(parts, request))
    present = [results for results in found if results]
    report.parts_left = len(found) - len(present)
    if report.parts_left:
        _add_records(present, report)
        return
    filled = report.filled = fill_in(manifest, present, request.folder)
    report.native = filled.kinds[NATIVE]
    report.given = filled.kinds[GIVEN]
    report.targets = sum(filled.kinds[kind] for kind in (NATIVE, MADE, GIVEN))
    report.clipped = filled.clipped
    report.rejects = Counter(filled.rejects["reason"].to_pylist())


def _add_records(present: list[PartResults], report: TargetReport) -> None:
    for results in present:
        record = results.record
        report.native += record.native
        report.given += record.given
        report.targets += record.native + record.made + record.given
        report.clipped += record.clipped
        report.rejects.update(record.rejects)


def remarks(report: TargetReport, request: TargetRequest) -> list[str]:
    """Return what a person should know of the targets that were found or made."""
    said = []
    if request.engine.name == FILES and report.made + report.skipped:
        count = report.made + report.skipped
        said.append(
            f"{count} of the files {'was' if count == 1 else 'were'} cut, padded or corrected into "
            f"targets in {request.folder}; your own files are as they were"
        )
    if report.filled:
        rows = [table.select(COLUMNS) for table in report.filled.manifest.values()]
        said += filter(None, [say_if_narrow(pa.concat_tables(rows))])
    return said
