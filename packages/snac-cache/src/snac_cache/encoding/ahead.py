"""Threads that read ahead of the encoder, as far as a number of seconds of audio."""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_ahead(
    batches: Iterator[list[Item]],
    read: Callable[[Item], Result],
    seconds_of: Callable[[Item], float],
    *,
    threads: int,
    seconds: float,
) -> Generator[list[tuple[Item, Result]], None, None]:
    """Yield each batch as it was read, in order, while threads read the items of later ones.

    Batches are taken from the iterator as long as less than ``seconds`` of audio is on its way, and
    at least one always is: what is held does not depend on how long utterances are, nor on where
    the iterator got its batches from.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="read") as pool:
        queue = _Queue(batches, lambda item: pool.submit(read, item), seconds_of)
        try:
            queue.fill(seconds)
            while queue.waiting:
                batch, futures = queue.next()
                results = [future.result() for future in futures]
                queue.fill(seconds)  # the threads go on while what is read is encoded
                yield list(zip(batch, results, strict=True))
                del results  # or it would be held while the next batch is awaited
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class _Queue(Generic[Item, Result]):
    """Batches that are being read."""

    def __init__(
        self,
        batches: Iterator[list[Item]],
        submit: Callable[[Item], Future[Result]],
        seconds_of: Callable[[Item], float],
    ) -> None:
        self.batches = batches
        self.submit = submit
        self.seconds_of = seconds_of
        self.waiting: deque[tuple[list[Item], list[Future[Result]]]] = deque()
        self.seconds = 0.0

    def fill(self, most: float) -> None:
        """Take batches until enough is on its way, or there are no more."""
        while not self.waiting or self.seconds < most:
            batch = next(self.batches, None)
            if batch is None:
                return
            self.waiting.append((batch, [self.submit(item) for item in batch]))
            self.seconds += sum(map(self.seconds_of, batch))

    def next(self) -> tuple[list[Item], list[Future[Result]]]:
        """Give the first batch away."""
        batch, futures = self.waiting.popleft()
        self.seconds -= sum(map(self.seconds_of, batch))
        return batch, futures
