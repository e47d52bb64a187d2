"""Ray clusters of several machines, all of them on this one."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Ray takes memory that other work has for its own, and kills what it started; and it gives up on
# machines that are slow to start or to answer, as they are where others work too
os.environ.setdefault("RAY_memory_monitor_refresh_ms", "0")
os.environ.setdefault("RAY_health_check_timeout_ms", "60000")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
OBJECT_STORE_BYTES = 80 << 20
TRIES = 5


class Machines:
    """A cluster whose head does no work; machines of one core each join and leave."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "include_dashboard": False, **_node()}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self.nodes: list[Any] = []

    @property
    def address(self) -> str:
        """What ``--ray`` is given."""
        return str(self._cluster.address)

    def join(self, cores: int = 1, path: str | None = None) -> None:
        """Have a machine join; ``path`` is where its Python looks for modules."""
        for left in reversed(range(TRIES)):
            try:
                self.nodes.append(self._cluster.add_node(num_cpus=cores, **_node(path)))
                return
            except Exception:  # Ray's own, after 30 s
                if not left:
                    raise

    def kill(self, number: int = 0) -> None:
        """Kill a machine with all that runs on it."""
        self._cluster.remove_node(self.nodes.pop(number), allow_graceful=False)

    def shut_down(self) -> None:
        """End all machines."""
        self._cluster.shutdown()


def _node(path: str | None = None) -> dict[str, Any]:
    path = path or os.pathsep.join(sys.path)
    return {"object_store_memory": OBJECT_STORE_BYTES, "env_vars": {"PYTHONPATH": path}}


@contextmanager
def machines(count: int) -> Iterator[Machines]:
    """Yield a cluster of so many machines."""
    cluster = Machines()
    try:
        for _ in range(count):
            cluster.join()
        yield cluster
    finally:
        cluster.shut_down()
