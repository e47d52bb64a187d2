"""Signals held back while processes are started that would die of them."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def signals_held_back(numbers: Sequence[int]) -> Iterator[None]:
    """Hold signals back; a process that is started within keeps them blocked for good.

    A batch system signals every process of a job. Helpers that would die of it are started here.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
