"""Rows through reading, Sidon and writing: threads on both sides of a device that is kept busy."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from snac_cache.schema import TARGET_RATE
from snac_cache.targets.results import RowResult
from snac_cache.targets.rows import Begun, TargetMaker
from snac_cache.targets.sidon import padded_samples
from snac_cache.targets.sidon_batches import SidonBatches

Numbered = tuple[int, RowResult]


def make_rows(
    rows: list[dict[str, Any]], maker: TargetMaker, sidon: SidonBatches | None, threads: int
) -> Iterator[Numbered]:
    """Make the targets of rows; yield each row's position once, in no particular order.

    Memory holds two batches that are read, one that Sidon is at, and two that are written.
    """
    pool = ThreadPoolExecutor(threads)
    try:
        finishing: deque[tuple[int, Future[RowResult]]] = deque()
        for batch in _batches(rows, maker, sidon, pool):
            if isinstance(batch, tuple):
                yield batch
                continue
            assert sidon is not None
            made = sidon([begun.features for _, begun in batch])
            for (position, begun), audio in zip(batch, made, strict=True):
                finishing.append((position, pool.submit(maker.finish, begun, audio)))
            while len(finishing) > len(batch):
                yield _result(finishing.popleft())
        while finishing:
            yield _result(finishing.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _batches(
    rows: list[dict[str, Any]],
    maker: TargetMaker,
    sidon: SidonBatches | None,
    pool: ThreadPoolExecutor,
) -> Iterator[Numbered | list[tuple[int, Begun]]]:
    """Yield rows that are done after the first half, and batches of equal length of the others."""
    batch: list[tuple[int, Begun]] = []
    length = 0
    for position, samples, begun in _begin_ahead(rows, maker, sidon, pool):
        if isinstance(begun, RowResult):
            yield position, begun
            continue
        if batch and samples != length:
            yield batch
            batch = []
        length = samples
        batch.append((position, begun))
        if sidon is None or len(batch) >= sidon.room(length):
            yield batch
            batch = []
    if batch:
        yield batch


def _begin_ahead(
    rows: list[dict[str, Any]],
    maker: TargetMaker,
    sidon: SidonBatches | None,
    pool: ThreadPoolExecutor,
) -> Iterator[tuple[int, int, RowResult | Begun]]:
    """Begin rows in threads, the longest first; yield position, padded length and what became.

    Longest first: memory that was enough for them is enough for all that follow.
    """
    lengths = [padded_samples(row["num_frames"], row["source_sample_rate"]) for row in rows]
    waits = [row["source_sample_rate"] < TARGET_RATE for row in rows]
    order = sorted(range(len(rows)), key=lambda i: (waits[i], lengths[i]), reverse=True)
    most = 2 * sidon.most_samples if sidon else 0
    running: deque[tuple[int, Future[RowResult | Begun]]] = deque()
    samples = 0
    for position in order:
        while len(running) > 1 and samples + lengths[position] > most:
            done, future = running.popleft()
            samples -= lengths[done]
            yield done, lengths[done], future.result()
        running.append((position, pool.submit(maker.begin, rows[position])))
        samples += lengths[position]
    for done, future in running:
        yield done, lengths[done], future.result()


def _result(entry: tuple[int, Future[RowResult]]) -> Numbered:
    position, future = entry
    return position, future.result()
