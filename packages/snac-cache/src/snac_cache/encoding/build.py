"""Making a cache: plan the parts, encode what is not finished, and sum up."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from snac_cache.encoding.encode_parts import Todo, encode_parts
from snac_cache.encoding.request import CacheRequest
from snac_cache.parquet import table_sha256
from snac_cache.store.description import (
    all_records,
    check_same,
    delete_cache,
    describe,
    read_description,
    totals,
    write_description,
)
from snac_cache.store.identity import CacheIdentity
from snac_cache.store.parts import PartRecord, finished
from snac_cache.work.plan import plan_parts
from snac_cache.work.workers import run_alone, run_workers
from snac_model.errors import Failure
from snac_model.weights import load

Manifest = dict[str, pa.Table]


@dataclass
class CacheReport:
    """What one command did."""

    rows: int = 0
    skipped_rows: int = 0
    parts_left: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    token_agreement: float | None = None
    audio_seconds: float = 0.0
    wall_seconds: float = 0.0

    def add(self, record: PartRecord) -> None:
        """Count a part that was made."""
        self.rows += record.rows
        self.rejects.update(record.rejects)


def build_cache(
    manifest: Manifest, request: CacheRequest, advance: Callable[[int], object]
) -> CacheReport:
    """Encode a manifest into ``request.folder``; parts that are finished are left alone.

    Args:
        manifest: rows by split, in the order that decides the parts.
        advance: told of utterances as they are done.

    Raises:
        Failure: if the folder holds a cache of another model or manifest, or a worker fails.
    """
    started = time.monotonic()
    identity = CacheIdentity.of(load(request.model), request.model, request.precision)
    todo = _prepare(manifest, request, identity)
    report = CacheReport()
    mine, others = _unfinished(todo, request, identity, report, advance)

    def receive(message: int | PartRecord) -> None:
        if isinstance(message, int):
            advance(message)
        else:
            report.add(message)

    task = partial(encode_parts, request=request, identity=identity)
    workers = min(len(request.devices), len(mine))
    if workers > 1:
        run_workers(task, mine, receive, workers)
    elif mine:
        run_alone(task, mine, receive)
    report.audio_seconds = sum(pc.sum(item.rows["duration_s"]).as_py() for item in mine)
    report.wall_seconds = time.monotonic() - started
    report.parts_left = sum(
        finished(request.folder, item.part, item.sha256, identity) is None for item in others
    )
    if not report.parts_left:
        report.token_agreement = _finish(request.folder)
    return report


def _prepare(manifest: Manifest, request: CacheRequest, identity: CacheIdentity) -> list[Todo]:
    """Start, carry on or extend the cache in the folder; return all parts that it should have."""
    if request.rank.world > 1 and (request.overwrite or request.append):
        raise Failure("--overwrite and --append are for one process: run them alone first")
    if request.overwrite:
        delete_cache(request.folder)
    asked = describe(manifest, identity, request.part_rows)
    existing = read_description(request.folder)
    append = request.append or bool(existing and existing["appended"])
    if existing:
        check_same(request.folder, existing, asked, append=request.append)
    first = None
    if append and existing:
        manifest, first = _not_held(manifest, request.folder)
        asked = {**asked, "appended": True}
    write_description(request.folder, asked)
    parts = plan_parts(manifest, request.part_rows, first)
    slices = (manifest[part.split].slice(part.start, part.stop - part.start) for part in parts)
    return [Todo(part, rows, table_sha256(rows)) for part, rows in zip(parts, slices, strict=True)]


def _unfinished(
    todo: list[Todo],
    request: CacheRequest,
    identity: CacheIdentity,
    report: CacheReport,
    advance: Callable[[int], object],
) -> tuple[list[Todo], list[Todo]]:
    """Return the unfinished parts of this rank, and all parts of the others."""
    mine, others = [], []
    for number, item in enumerate(todo):
        if number % request.rank.world != request.rank.number:
            others.append(item)
            continue
        record = finished(request.folder, item.part, item.sha256, identity)
        if record is None:
            mine.append(item)
        else:
            report.skipped_rows += record.rows
            advance(item.rows.num_rows)
    return mine, others


def _not_held(manifest: Manifest, folder: Path) -> tuple[Manifest, dict[str, int]]:
    """Return the rows that the cache neither holds nor rejected, and each split's next number."""
    files = {split: sorted((folder / split).glob("part-*.parquet")) for split in manifest}
    rejects = sorted((folder / "rejects").glob("*.parquet"))
    known = _ids([*(file for listed in files.values() for file in listed), *rejects])
    rows = {
        split: table.filter(pc.invert(pc.is_in(table["utterance_id"], value_set=known)))
        for split, table in manifest.items()
    }
    following = {
        split: int(listed[-1].stem.removeprefix("part-")) + 1 if listed else 0
        for split, listed in files.items()
    }
    return rows, following


def _ids(files: Iterable[Path]) -> pa.Array:
    """Read the ids in several parquet files."""
    columns = [pq.read_table(file, columns=["utterance_id"])["utterance_id"] for file in files]
    return pa.chunked_array(columns, pa.string()).combine_chunks()


def _finish(folder: Path) -> float | None:
    """Write a finished cache's totals into ``cache.json``; return its share of equal tokens."""
    summed = totals(all_records(folder))
    description = read_description(folder)
    assert description is not None
    write_description(folder, {**description, **summed})
    share: float | None = summed["token_agreement"]
    return share
