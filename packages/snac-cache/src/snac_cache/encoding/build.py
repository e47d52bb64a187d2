"""Making a cache: plan the parts, encode what is not finished, and sum up."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from snac_cache.encoding.encode_parts import encode_parts
from snac_cache.encoding.prepare import prepare
from snac_cache.encoding.request import CacheRequest
from snac_cache.manifests.read import Manifest
from snac_cache.store.description import read_description, totals, write_description
from snac_cache.store.identity import CacheIdentity
from snac_cache.store.parts import PartRecord, finished_parts
from snac_cache.work.engine import Engine, LocalEngine
from snac_cache.work.lock import one_at_a_time, working_in
from snac_cache.work.plan import LARGEST_PART, Part
from snac_common.files import clear_leftovers
from snac_common.jobs import NotRecorded, Work
from snac_model.codec.loading import load


@dataclass
class CacheReport:
    """What one command did, and what the cache holds now.

    Attributes:
        rows: encoded by this command.
        skipped_rows: in this rank's parts that were finished.
        parts_left: to other ranks, which have not finished them.
        audio_seconds: that this command encoded, in ``wall_seconds``.
        cached: rows in all finished parts, with ``rejects`` beside them by reason.
    """

    rows: int = 0
    skipped_rows: int = 0
    parts_left: int = 0
    audio_seconds: float = 0.0
    wall_seconds: float = 0.0
    cached: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    token_agreement: float | None = None


def build_cache(
    manifest: Manifest,
    request: CacheRequest,
    advance: Callable[[int], object],
    work: Work | None = None,
    engine: Engine | None = None,
) -> CacheReport:
    """Encode a manifest into ``request.folder``; parts that are finished are left alone.

    Args:
        manifest: rows by split, in the order that decides the parts.
        advance: told of utterances as they are done.
        work: keeps the record of this work, if there is one.
        engine: runs the workers; by default on this machine, on the request's devices.

    Raises:
        Failure: if the folder holds a cache of another model or manifest, another command is at
            work there, or a worker fails.
    """
    started = time.monotonic()
    shared = request.rank.world > 1
    with working_in(request.folder, "snac-cache", shared=shared):
        identity = CacheIdentity.of(load(request.model), request.model, request.precision)
        with one_at_a_time(request.folder):
            clear_leftovers(request.folder, recursive=True)
            plan = prepare(manifest, request, identity)
        report = CacheReport()
        mine = _unfinished(plan.parts, request, identity, report, advance)
        work = work or NotRecorded()
        work.begin(report.skipped_rows + sum(part.rows for part in mine), report.skipped_rows)

        def receive(message: int | PartRecord) -> None:
            if isinstance(message, int):
                advance(message)
                work.count(message)
            else:
                report.rows += message.rows
                report.audio_seconds += message.audio_seconds

        task = partial(
            encode_parts,
            plan=plan,
            request=request,
            identity=identity,
            window_rows=_window_rows(mine, min(len(request.devices), len(mine))),
        )
        if mine:
            engine = engine or LocalEngine(request.devices)
            engine.run(task, mine, receive, partial(_not_finished, request, identity))
        report.wall_seconds = time.monotonic() - started
        _sum_up(plan.parts, request, identity, report)
    return report


def _window_rows(parts: list[Part], workers: int) -> int:
    """Return how many rows a worker may take at a time: as a large part has, or its share."""
    rows = sum(part.rows for part in parts)
    return min(LARGEST_PART, -(-rows // max(workers, 1)))


def _unfinished(
    parts: list[Part],
    request: CacheRequest,
    identity: CacheIdentity,
    report: CacheReport,
    advance: Callable[[int], object],
) -> list[Part]:
    """Return this rank's parts that are to be made."""
    mine = request.rank.share(parts)
    unfinished = []
    for part, record in zip(mine, _finished(request, identity, mine), strict=True):
        if record is None:
            unfinished.append(part)
        else:
            report.skipped_rows += record.rows
            advance(part.rows)
    return unfinished


def _not_finished(request: CacheRequest, identity: CacheIdentity, parts: list[Part]) -> list[Part]:
    records = _finished(request, identity, parts)
    return [part for part, record in zip(parts, records, strict=True) if record is None]


def _finished(
    request: CacheRequest, identity: CacheIdentity, parts: list[Part]
) -> list[PartRecord | None]:
    """Return each part's record; None for one to be made, such as one with rejects to try again."""
    records = finished_parts(request.folder, parts, identity, whole=request.verify)
    return [None if record and request.retry and record.rejects else record for record in records]


def _sum_up(
    parts: list[Part], request: CacheRequest, identity: CacheIdentity, report: CacheReport
) -> None:
    """Count what the whole cache holds; write the totals of a finished one into ``cache.json``."""
    records = finished_parts(request.folder, parts, identity)
    present = [record for record in records if record is not None]
    summed: dict[str, Any] = totals(present)
    report.parts_left = len(records) - len(present)
    report.cached = summed["rows"]
    report.rejects = Counter(summed["rejects"])
    report.token_agreement = summed["token_agreement"]
    description = read_description(request.folder)
    if not report.parts_left and description is not None:
        write_description(request.folder, {**description, **summed})
