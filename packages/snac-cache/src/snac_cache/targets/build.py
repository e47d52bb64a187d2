"""Targets for a whole manifest: blocks of rows, shared by workers, put together in order."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from snac_cache.schema import MANIFEST, REJECTS, TARGET_RATE
from snac_cache.targets.engines import EngineChoice, load_engine
from snac_cache.targets.rows import RowResult, RowWorker
from snac_cache.work.workers import run_alone, run_workers
from snac_model.devices import prepare_cpu_worker

BLOCK_ROWS = 64


@dataclass(frozen=True)
class TargetRequest:
    """What the command was asked for; ``max_lag`` in samples at 48 kHz."""

    folder: Path
    engine: EngineChoice
    max_lag: int
    workers: int


@dataclass(frozen=True)
class Block:
    """Some rows of a split, from ``start``."""

    split: str
    start: int


@dataclass(frozen=True)
class BlockDone:
    """What a worker says of a block of rows."""

    block: Block
    rows: pa.Table
    rejects: pa.Table
    counts: Counter[str]


@dataclass
class TargetReport:
    """The rows with their targets, what was rejected, and how many of each kind there were."""

    rows: dict[str, pa.Table]
    rejects: pa.Table
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def targets(self) -> int:
        """Rows that have a target."""
        columns = [table.column("target_path") for table in self.rows.values()]
        return sum(len(column) - column.null_count for column in columns)

    def summary(self) -> dict[str, Any]:
        """Return how many were native, made, skipped, clipped, and rejected by reason."""
        reasons = Counter(self.rejects.column("reason").to_pylist())
        kinds = {kind: self.counts[kind] for kind in ("native", "made", "skipped", "clipped")}
        return {**kinds, "rejects": dict(reasons)}


def make_targets(
    manifest: dict[str, pa.Table], request: TargetRequest, advance: Callable[[int], object]
) -> TargetReport:
    """Make a target for every row that is not natively 48 kHz; measure every row's bandwidth.

    Args:
        manifest: rows by split.
        advance: told of utterances as they are done.

    Raises:
        Failure: if the engine cannot be had, or a worker fails.
    """
    blocks = [
        (Block(split, start), table.slice(start, BLOCK_ROWS))
        for split, table in manifest.items()
        for start in range(0, table.num_rows, BLOCK_ROWS)
    ]
    done: dict[Block, BlockDone] = {}

    def receive(message: int | BlockDone) -> None:
        if isinstance(message, int):
            advance(message)
        else:
            done[message.block] = message

    needed = any(_needs_engine(table) for table in manifest.values())
    task = partial(_work, request=request, needed=needed)
    workers = min(request.workers, len(blocks))
    if workers > 1:
        run_workers(task, blocks, receive, workers)
    else:
        run_alone(task, blocks, receive)
    return _put_together([done[block] for block, _ in blocks], list(manifest))


def _needs_engine(table: pa.Table) -> bool:
    return bool(pc.any(pc.less(table.column("source_sample_rate"), TARGET_RATE)).as_py())


def _work(
    number: int,
    items: Iterator[tuple[Block, pa.Table]],
    send: Callable[[Any], None],
    *,
    request: TargetRequest,
    needed: bool,
) -> None:
    """Run in each worker: load the engine once if any row needs it, then take block after block."""
    if request.engine.device == "cpu":
        prepare_cpu_worker()
    engine = load_engine(request.engine) if needed else None
    worker = RowWorker(request.folder, engine, request.engine.name, request.max_lag)
    for block, table in items:
        results = []
        for row in table.to_pylist():
            results.append(worker.treat(row))
            send(1)
        send(_sum_up(block, results))


def _sum_up(block: Block, results: list[RowResult]) -> BlockDone:
    counts = Counter(result.kind for result in results)
    counts["clipped"] = sum(result.clipped_samples > 0 for result in results)
    rows = [result.row for result in results]
    rejects = [result.reject for result in results if result.reject]
    return BlockDone(
        block,
        pa.Table.from_pylist(rows, schema=MANIFEST),
        pa.Table.from_pylist(rejects, schema=REJECTS),
        counts,
    )


def _put_together(blocks: list[BlockDone], splits: list[str]) -> TargetReport:
    empty, no_rejects = MANIFEST.empty_table(), REJECTS.empty_table()
    rows = {
        split: pa.concat_tables([empty, *(b.rows for b in blocks if b.block.split == split)])
        for split in splits
    }
    rejects = pa.concat_tables([no_rejects, *(block.rejects for block in blocks)])
    return TargetReport(rows, rejects, sum((block.counts for block in blocks), Counter()))
