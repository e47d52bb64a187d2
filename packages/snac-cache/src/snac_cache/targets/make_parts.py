"""What each worker does: load the engine once, then make the targets of part after part."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from snac_cache.targets.engines import load_engine
from snac_cache.targets.pipeline import make_rows
from snac_cache.targets.request import TargetRequest
from snac_cache.targets.results import MADE, PartDone, RowResult, write_results
from snac_cache.targets.reuse import Listings, earlier_results
from snac_cache.targets.rows import TargetMaker
from snac_cache.targets.target_store import TargetShard, shard_of
from snac_cache.work.plan import Part
from snac_cache.work.plan_file import Plan
from snac_common.devices import available_cores, prepare_cpu_worker
from snac_common.refresh import refresh
from snac_common.visible_gpus import VISIBLE, visible_gpus

MOST_THREADS = 16  # beside one GPU


def make_parts(
    number: int,
    parts: Iterator[Part],
    send: Callable[[Any], None],
    *,
    plan: Plan,
    request: TargetRequest,
    with_engine: bool,
) -> None:
    """Make the targets of parts on the worker's device; send a count of rows now and then.

    After each part its ``PartDone`` is sent. The engine is loaded first, if any row needs it: where
    it cannot be had, nothing else is done.
    """
    prepare_cpu_worker()  # beside a GPU too: its threads have a core each
    refresh(plan.folder)  # on another machine than where it was written
    device = see_one_gpu(request.devices[number], os.environ)
    sidon = load_engine(request.engine, device) if with_engine else None
    maker = TargetMaker(request, sidon.sidon if sidon else None)
    threads = _threads(device, len(request.devices))
    listings = Listings(request.folder)
    for part in parts:
        rows = [{**row, "split": part.split} for row in plan.rows(part).to_pylist()]
        results = earlier_results(part, request, rows, listings)
        send(len(results))
        left = [position for position in range(len(rows)) if position not in results]
        with _store(part, request, maker, results if left else {}) as store:
            made = make_rows([rows[position] for position in left], maker, sidon, threads)
            for index, result in made:
                results[left[index]] = result
                send(1)
        ordered = [results[position] for position in range(len(rows))]
        write_results(part, request, rows, ordered)
        if store and left:
            store.remove_earlier()
        send(PartDone.of(ordered))


@contextmanager
def _store(
    part: Part, request: TargetRequest, maker: TargetMaker, earlier: dict[int, RowResult]
) -> Iterator[TargetShard | None]:
    """Open the tar of a part if there is to be one, with what stays of an earlier one in it."""
    if not request.shards:
        yield None
        return
    with shard_of(request.folder, part) as shard:
        for position, result in earlier.items():
            if result.kind == MADE and result.target_path:
                earlier[position] = replace(result, target_path=shard.copy(result.target_path))
        maker.store = shard
        yield shard


def see_one_gpu(device: str, environment: Any) -> str:
    """Hide all GPUs but one from this process, which must not have used any; return its name.

    Code that was traced on the first GPU may name it, so each worker's must be the first.
    """
    kind, _, index = device.partition(":")
    if kind != "cuda" or index in ("", "0"):
        return device
    environment[VISIBLE] = visible_gpus([int(index)], environment)[0]
    return "cuda:0"


def _threads(device: str, workers: int) -> int:
    """Return how many threads a worker reads and writes with: on a CPU, its core is taken."""
    if device == "cpu":
        return 1
    return max(2, min(MOST_THREADS, available_cores() // workers))
