"""What runs a task over many parts: this process, several on this machine, or a Ray cluster."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from snac_cache.work.cluster import Cluster
from snac_cache.work.workers import Task, Unfinished, run_alone, run_workers


class Engine(Protocol):
    """Runs a task over parts.

    Attributes:
        devices: one for each worker that it would start; the number that a task is called with is
            a place in this list.
        threads: that each worker may read audio with.
    """

    devices: list[str]
    threads: int

    def run(
        self,
        task: Task,
        items: Sequence[Any],
        receive: Callable[[Any], object],
        unfinished: Unfinished,
    ) -> None:
        """Run the task over all items, and receive what it sends.

        Args:
            unfinished: returns those of the items that are not done, for when a worker has died
                and others go on.

        Raises:
            Failure: if a worker fails, or workers cannot be had.
        """


@dataclass
class LocalEngine:
    """Workers on this machine.

    Attributes:
        apart: start a process even for one worker.
    """

    devices: list[str]
    threads: int = 1
    apart: bool = False

    def run(
        self,
        task: Task,
        items: Sequence[Any],
        receive: Callable[[Any], object],
        unfinished: Unfinished,
    ) -> None:
        """See ``Engine.run``; a worker's death ends all of them."""
        workers = min(len(self.devices), len(items))
        if workers > 1 or (self.apart and workers):
            run_workers(task, items, receive, workers)
        elif items:
            run_alone(task, items, receive)


@dataclass
class RayEngine:
    """Actors on a Ray cluster that has been joined.

    Attributes:
        folder: that every machine must see.
    """

    ray: Any
    cluster: Cluster
    folder: Path
    devices: list[str]
    threads: int

    def run(
        self,
        task: Task,
        items: Sequence[Any],
        receive: Callable[[Any], object],
        unfinished: Unfinished,
    ) -> None:
        """See ``Engine.run``; what a dead worker had not finished is done again by others."""
        from snac_cache.work.ray_workers import run_on_ray

        run_on_ray(
            self.ray,
            task,
            items,
            receive,
            unfinished,
            resource="CPU" if self.devices[0] == "cpu" else "GPU",
            most=self.cluster.most,
            folder=self.folder,
        )


@contextmanager
def ray_engine(cluster: Cluster, folder: Path, device: str) -> Iterator[RayEngine]:
    """Join a Ray cluster, and yield it as an engine.

    Args:
        folder: of the work, which every machine must see.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        Failure: if there is no Ray, no such cluster, or no such device in it.
    """
    from snac_cache.work.ray_cluster import joined, worker_places

    with joined(cluster) as ray:
        place, count, cores = worker_places(ray, device)
        devices = [place] * min(count, cluster.most or count)
        yield RayEngine(ray, cluster, folder, devices, cores)
