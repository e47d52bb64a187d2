"""A thread that writes finished parts while the worker goes on encoding."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from snac_cache.encoding.parts_in_flight import PartInFlight
from snac_cache.store.identity import CacheIdentity
from snac_cache.store.parts import PartRecord, write_part
from snac_cache.store.records import Agreement

MOST_WAITING = 32  # parts; more than this would be held in memory if the disk is slower


class PartWriter:
    """Writes parts one after the other, and tells of each that is written."""

    def __init__(self, pool: ThreadPoolExecutor, tell: Callable[[PartRecord], None]) -> None:
        self.pool = pool
        self.tell = tell
        self.waiting: deque[Future[PartRecord]] = deque()

    def write(self, write: Callable[[], PartRecord]) -> None:
        """Have a part written; raises what went wrong with any before it."""
        self.waiting.append(self.pool.submit(write))
        while self.waiting and (self.waiting[0].done() or len(self.waiting) > MOST_WAITING):
            self.tell(self.waiting.popleft().result())

    def finish(self) -> None:
        """Wait until all is written."""
        while self.waiting:
            self.tell(self.waiting.popleft().result())


@contextmanager
def writing_parts(tell: Callable[[PartRecord], None]) -> Iterator[PartWriter]:
    """Yield a writer; at the end all parts given to it are written, whatever happened meanwhile."""
    with ThreadPoolExecutor(1, thread_name_prefix="write") as pool:
        writer = PartWriter(pool, tell)
        yield writer
        writer.finish()


def writing(
    folder: Path, taken: PartInFlight, identity: CacheIdentity, agreement: Agreement
) -> Callable[[], PartRecord]:
    """Return what writes a complete part."""
    return partial(
        write_part,
        folder,
        taken.part,
        rows=list(taken.rows),
        results=taken.results,
        identity=identity,
        agreement=agreement,
    )
