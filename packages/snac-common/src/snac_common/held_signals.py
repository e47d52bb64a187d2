"""Signals that wait: until processes are started, or until code that they would break is left."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType


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


@contextmanager
def signals_noted(numbers: Sequence[int]) -> Iterator[Callable[[], None]]:
    """Take note of signals, and yield what handles those that have arrived, as before.

    Raising an exception in the middle of other people's compiled code is not always survived.
    """
    arrived: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        arrived.append(number)

    found = ((number, signal.getsignal(number)) for number in numbers)
    handlers = {number: handler for number, handler in found if callable(handler)}

    def handle() -> None:
        while arrived:
            number = arrived.pop(0)
            handlers[number](number, None)

    for number in handlers:
        signal.signal(number, note)
    try:
        yield handle
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
