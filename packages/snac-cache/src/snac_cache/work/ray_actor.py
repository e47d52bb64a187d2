"""A worker of a Ray cluster: runs one task in a thread, and answers the driver meanwhile."""

import os
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

from snac_cache.work.ray_nodes import Driver, follow
from snac_cache.work.workers import DONE, FAILED, MESSAGE, NEXT, Event, Task, failures
from snac_common.errors import Failure

SECONDS_BETWEEN_ANSWERS = 2.0  # that only tell how far the task is


class TaskActor:
    """Runs a task; its methods are called by the driver, two at a time.

    An actor of Ray cannot call its driver, so what the task says is kept until it is asked for.
    """

    def __init__(self, task: Task, driver: Driver) -> None:
        self._given: queue.Queue[list[Any]] = queue.Queue()
        self._events: queue.Queue[Event] = queue.Queue()
        threading.Thread(target=self._run, args=(task, driver), daemon=True).start()

    def give(self, items: list[Any]) -> None:
        """Hand over the next items; none of them after the last."""
        self._given.put(items)

    def events(self) -> list[Event]:
        """Wait until the task has said something, and return all that it has said.

        Messages are collected for a while: each answer costs the driver a millisecond. When the
        task asks for more, or has ended, the answer is given at once.
        """
        said = [self._events.get()]
        end = time.monotonic() + SECONDS_BETWEEN_ANSWERS
        while True:
            waits = said[-1][0] == MESSAGE
            try:
                said.append(self._events.get(timeout=max(0.0, end - time.monotonic()) * waits))
            except queue.Empty:
                return said

    def _run(self, task: Task, driver: Driver) -> None:
        with failures(lambda message: self._say(FAILED, message)):
            if reason := follow(driver):  # this machine may have joined after all were asked
                raise Failure(f"the machine {os.uname().nodename} of the Ray cluster {reason}")
            task(0, self._take(), lambda message: self._say(MESSAGE, message))
            self._say(DONE)

    def _say(self, kind: str, content: Any = None) -> None:
        self._events.put((kind, content))

    def _take(self) -> Iterator[Any]:
        while True:
            self._say(NEXT)
            if not (given := self._given.get()):
                return
            yield from given
