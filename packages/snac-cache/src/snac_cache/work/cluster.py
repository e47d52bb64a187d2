"""The Ray cluster that a command's workers run on, if not on this machine alone."""

from dataclasses import dataclass

from snac_cache.work.ranks import Rank
from snac_common.errors import BadInput

LOCAL = "local"


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster.

    Attributes:
        address: such as ``10.0.0.1:6379``; ``auto`` for the one that runs on this machine;
            ``local`` to start one for this command alone.
        most: workers at most; None for one on every GPU, or on every core where there is no GPU.
    """

    address: str
    most: int | None = None


def choose_cluster(
    address: str | None, gpus: str | None, workers: int | None, rank: Rank | None = None
) -> Cluster | None:
    """Return the cluster of ``--ray``; None for workers on this machine, without Ray.

    Raises:
        BadInput: if the options contradict each other.
    """
    if address is None:
        return None
    if gpus is not None:
        raise BadInput(
            "--ray takes every GPU of the cluster, so leave out --gpus; --workers limits how many"
        )
    if rank is not None and rank.world > 1:
        raise BadInput("--ray shares the work already: start the command once, without a launcher")
    return Cluster(address, workers)
