"""Workers on a Ray cluster that share a list of parts.

Each is an actor with a GPU or a core of its own. It asks for the next part when it is ready for
one, as a worker on this machine does. An actor that dies, alone or with its machine, is replaced as
soon as the cluster has room, and what it had not finished is done again. A machine that joins is
used. When this process ends, however it ends, Ray stops the actors.
"""

import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snac_cache.work.ray_actor import TaskActor
from snac_cache.work.ray_nodes import Driver, check_nodes
from snac_cache.work.workers import DONE, FAILED, MESSAGE, NEXT, Event, Task, Unfinished
from snac_common.console import note
from snac_common.errors import Failure
from snac_common.held_signals import signals_noted

SECONDS_BETWEEN_LOOKS = 2.0  # at what the cluster has
MOST_DEATHS = 5  # one after the other, while no worker comes to anything


@dataclass
class _Worker:
    actor: Any
    items: list[Any] = field(default_factory=list)


@dataclass
class _Workers:
    """The actors at work, each by the answer that is waited for from it."""

    ray: Any
    resource: str
    most: int | None
    driver: Driver
    task: Task
    left: deque[Any]
    unfinished: Unfinished
    running: dict[Any, _Worker] = field(default_factory=dict)
    deaths: int = 0
    looked: float = float("-inf")

    def grow(self) -> None:
        """Start as many actors as the cluster has room for and items are left for."""
        now = time.monotonic()
        if now - self.looked < SECONDS_BETWEEN_LOOKS:
            return
        self.looked = now
        for _ in range(min(self._places() - len(self.running), len(self.left))):
            self._start()

    def _places(self) -> int:
        """Return how many workers there may be, with what has joined and what has gone."""
        count = int(self.ray.cluster_resources().get(self.resource, 0))
        return min(count, self.most or count)

    def _start(self) -> None:
        gpus = 1 if self.resource == "GPU" else 0
        kind = self.ray.remote(TaskActor).options(max_concurrency=2, num_cpus=1, num_gpus=gpus)
        actor = kind.remote(self.task, self.driver)
        self.running[actor.events.remote()] = _Worker(actor)

    def listen(self, receive: Callable[[Any], object]) -> None:
        """Wait until an actor says something, and answer all that have."""
        ray, asked = self.ray, list(self.running)
        ray.wait(asked, timeout=SECONDS_BETWEEN_LOOKS)
        ready, _ = ray.wait(asked, num_returns=len(asked), timeout=0)  # as dear for all as for one
        for answer in ready:
            worker = self.running.pop(answer)
            try:
                said = ray.get(answer)
            except ray.exceptions.RayActorError as error:
                self._replace(worker, error)
                continue
            if self._goes_on(worker, said, receive):
                self.running[worker.actor.events.remote()] = worker

    def _goes_on(
        self, worker: _Worker, said: list[Event], receive: Callable[[Any], object]
    ) -> bool:
        """Return whether the worker has more to do; raise Failure if it has failed."""
        for kind, content in said:
            if kind == MESSAGE:
                self.deaths = 0
                receive(content)
            elif kind == NEXT:
                items = [self.left.popleft()] if self.left else []
                worker.items += items
                worker.actor.give.remote(items)
            elif kind == FAILED:
                raise Failure(f"a worker failed:\n{content}")
            elif kind == DONE:
                self.ray.kill(worker.actor)
                return False
        return True

    def _replace(self, worker: _Worker, error: Exception) -> None:
        """Put back what a dead worker had not finished."""
        self.deaths += 1
        if self.deaths >= MOST_DEATHS:
            raise Failure(
                f"{self.deaths} workers died one after the other (out of memory?): "
                f"{str(error).strip()} Finished parts are kept, and the same command carries on."
            )
        again = self.unfinished(worker.items)
        note(f"a worker died, with {len(again)} parts unfinished: others do them again")
        self.left.extendleft(reversed(again))
        self.looked = float("-inf")


def run_on_ray(
    ray: Any,
    task: Task,
    items: Sequence[Any],
    receive: Callable[[Any], object],
    unfinished: Unfinished,
    *,
    resource: str,
    most: int | None,
    folder: Path,
) -> None:
    """Run the task in actors that share the items; see ``Engine.run``.

    Args:
        ray: the module, which has joined a cluster.
        resource: ``GPU`` or ``CPU``, of which each actor takes one.
        most: actors at most.
        folder: of the work, which every machine must see.

    Raises:
        Failure: with the worker's traceback, if one raises; if workers die again and again; if a
            machine cannot do the work.
    """
    driver = Driver.this(folder)
    check_nodes(ray, driver)
    workers = _Workers(ray, resource, most, driver, task, deque(items), unfinished)
    try:
        with signals_noted((signal.SIGTERM, signal.SIGINT)) as handle_signals:
            while workers.left or workers.running:
                workers.grow()
                if workers.running:
                    workers.listen(receive)
                else:
                    time.sleep(SECONDS_BETWEEN_LOOKS)
                handle_signals()
    finally:
        for worker in workers.running.values():
            ray.kill(worker.actor)
