"""How many workers one command can keep busy: Ray's real messages, and workers that only sleep.

    uv run python tools/bench/driver.py --workers 1000 --seconds 7

The driver is the real one. A thousand workers would be a thousand processes, so here they are
threads of a few processes, each as ``TaskActor`` is. Their task sleeps through each part and tells
of utterances meanwhile, as encoding does: a part of 4,096 utterances of 5.3 s takes 7 s on a GPU
that is 3,000 times as fast as its audio, and tells of them 41 times.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Self

import click

from snac_cache.store.parts import PartRecord
from snac_cache.work import ray_workers
from snac_cache.work.cluster import LOCAL, Cluster
from snac_cache.work.plan import LARGEST_PART, Part
from snac_cache.work.ray_actor import TaskActor
from snac_cache.work.ray_cluster import joined
from snac_common.console import print_summary
from snac_common.tool import Tool

SHA256 = "0" * 64


@click.command(cls=Tool, example="driver.py --workers 1000 --seconds 7\n")
@click.option("--workers", type=click.IntRange(1), default=1000, help="Number of workers.")
@click.option("--processes", type=click.IntRange(1), default=4, help="In which they are.")
@click.option("--parts", type=click.IntRange(1), default=10_000, help="Number of parts.")
@click.option("--seconds", default=7.0, help="That each part takes a worker; 0 finds the limit.")
@click.option("--messages", default=41, help="That each part sends before its record.")
def main(*, workers: int, processes: int, parts: int, seconds: float, messages: int) -> None:
    """Hand out parts to workers that sleep, and say how busy they and the driver were."""
    task = partial(sleep_through, seconds, messages)
    items = [Part("train", number, LARGEST_PART, SHA256) for number in range(parts)]
    received: list[PartRecord] = []

    def receive(message: int | PartRecord) -> None:
        if not isinstance(message, int):
            received.append(message)

    with joined(Cluster(LOCAL)) as ray:
        few = FewProcesses(ray, workers, processes)
        started, cpu, own = time.monotonic(), time.process_time(), time.thread_time()
        ray_workers.run_on_ray(
            few, task, items, receive, list, resource="CPU", most=None, folder=Path.cwd()
        )
        took = time.monotonic() - started
        cpu, own = time.process_time() - cpu, time.thread_time() - own
    assert len(received) == parts
    print_summary(
        workers=workers,
        parts=parts,
        seconds=round(took, 1),
        parts_per_second=round(parts / took, 1),
        answers_per_second=round(few.answers / took, 1),
        share_of_time_that_workers_worked=round(parts * seconds / (workers * took), 3),
        driver_ms_a_part=round(1000 * own / parts, 2),
        driver_ms_a_part_with_ray=round(1000 * cpu / parts, 2),
    )


def sleep_through(
    seconds: float,
    messages: int,
    number: int,
    parts: Iterator[Part],
    send: Callable[[Any], object],
) -> None:
    """Take as long for each part as encoding it would, and say as much."""
    for part in parts:
        for _ in range(messages):
            time.sleep(seconds / messages)
            send(part.rows // messages)
        send(PartRecord(part.sha256, part.rows, 5.3 * part.rows))


class Many:
    """An actor that is many workers."""

    def __init__(self) -> None:
        self.workers: dict[int, TaskActor] = {}

    def start(self, number: int, task: Any, driver: Any) -> None:
        """Start a worker."""
        self.workers[number] = TaskActor(task, driver)

    def give(self, number: int, items: list[Any]) -> None:
        """See ``TaskActor``."""
        self.workers[number].give(items)

    def events(self, number: int) -> list[Any]:
        """See ``TaskActor``."""
        return self.workers[number].events()


@dataclass
class Method:
    """A method of one of the workers in an actor."""

    method: Any
    number: int

    def remote(self, *arguments: Any) -> Any:
        """Call it."""
        return self.method.remote(self.number, *arguments)


class Worker:
    """One of the workers in an actor, called as an actor is."""

    def __init__(self, ray: Any, actor: Any, number: int, *arguments: Any) -> None:
        ray.get(actor.start.remote(number, *arguments))  # calls may overtake each other
        self.give, self.events = Method(actor.give, number), Method(actor.events, number)


class Starting:
    """What starts workers, in the actors in turn."""

    def __init__(self, ray: Any, actors: list[Any]) -> None:
        self._ray, self._actors, self._numbers = ray, actors, count()

    def options(self, **resources: Any) -> Self:
        """Take what a worker would need; nothing is kept for it."""
        return self

    def remote(self, *arguments: Any) -> Worker:
        """Start a worker."""
        number = next(self._numbers)
        return Worker(self._ray, self._actors[number % len(self._actors)], number, *arguments)


class FewProcesses:
    """Ray as the driver knows it, where workers are threads of a few actors."""

    def __init__(self, ray: Any, workers: int, processes: int) -> None:
        self._ray, self._workers = ray, workers
        self.exceptions, self.wait, self.nodes = ray.exceptions, ray.wait, ray.nodes
        self.answers = 0
        threads = 2 * -(-workers // processes) + 1
        kind = ray.remote(Many).options(max_concurrency=threads, num_cpus=0)
        self._starting = Starting(ray, [kind.remote() for _ in range(processes)])

    def cluster_resources(self) -> dict[str, float]:
        """Return as many cores as there are to be workers."""
        return {"CPU": float(self._workers)}

    def get(self, answer: Any) -> Any:
        """Return an answer, and count it."""
        self.answers += 1
        return self._ray.get(answer)

    def kill(self, worker: Worker) -> None:
        """Leave a worker alone: it is a thread that has nothing more to do."""

    def remote(self, *kind: Any, **options: Any) -> Any:
        """Return what starts workers; what asks the machines is Ray's own."""
        return self._starting if kind else self._ray.remote(**options)


if __name__ == "__main__":
    main()
