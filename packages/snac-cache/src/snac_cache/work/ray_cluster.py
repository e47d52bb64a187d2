"""Joining a Ray cluster, or starting one for this command."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from snac_cache.work.cluster import LOCAL, Cluster
from snac_common.devices import available_cores
from snac_common.errors import Failure
from snac_common.held_signals import signals_held_back, signals_noted

SECONDS_TO_ANSWER = 10.0
OBJECT_STORE_BYTES = 100 << 20  # nothing large is sent
# Ray would send the folder of the project to each worker, and count who uses Ray
_SETTINGS = {"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", "RAY_USAGE_STATS_ENABLED": "0"}

_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@contextmanager
def joined(cluster: Cluster) -> Iterator[Any]:
    """Join the cluster, or start one on this machine; yield the module ``ray``.

    Raises:
        Failure: if Ray is not installed, or the cluster does not answer or has another version.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise Failure(
            "--ray needs the package ray, which is not installed: pip install 'ray>=2.50', with "
            "the same version on every machine"
        ) from error
    try:
        _start(ray, cluster)
        yield ray
    finally:
        ray.shutdown()


def _start(ray: Any, cluster: Cluster) -> None:
    """Join or start the cluster; signals wait, and spare what is started: it ends with this."""
    try:
        with signals_noted(_SIGNALS) as handle_signals, signals_held_back(_SIGNALS):
            _init(ray, cluster)
    except SystemExit:  # so does the handler of SIGTERM end it that Ray puts in place
        signal.raise_signal(signal.SIGTERM)
        raise
    handle_signals()


def _init(ray: Any, cluster: Cluster) -> None:
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if cluster.address == LOCAL:
            ray.init(
                address=LOCAL,
                num_cpus=available_cores(),
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                **quiet,
            )
        else:
            _reach(cluster.address)
            ray.init(address=cluster.address, **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise Failure(f"--ray {cluster.address}: this cluster cannot be used: {reason}") from error


def _reach(address: str) -> None:
    """Raise OSError if nothing listens at HOST:PORT: Ray itself would try for ten minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS_TO_ANSWER).close()


def worker_places(ray: Any, device: str) -> tuple[str, int, int]:
    """Return the device that workers compute on, how many have room, and the cores of each.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``; auto takes GPUs if the cluster has any.

    Raises:
        Failure: if ``cuda`` is asked for and the cluster has no GPU.
    """
    resources = ray.cluster_resources()
    cores, gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
    if device == "cuda" and not gpus:
        raise Failure("--device cuda: the Ray cluster has no GPU. Give --device cpu.")
    if device == "cpu" or not gpus:
        return "cpu", cores, 1
    return "cuda:0", gpus, max(1, cores // gpus)
