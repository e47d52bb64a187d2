"""One process a GPU: started, told what signals ask for, and ended together."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

GRACE_S = 20.0  # for the others to notice that one has died

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LAUNCHED = "SNAC_TRAIN_LAUNCHED"
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


def launch(arguments: Sequence[str], gpus: Sequence[int]) -> int:
    """Run ``python -m snac_train`` with ``arguments`` once a GPU and return the exit code.

    A process that fails takes the others down; signals go on to all of them.
    """
    port = _free_port()
    processes = [_start(arguments, gpus, rank=rank, port=port) for rank in range(len(gpus))]
    with _forwarding(processes):
        while any(process.poll() is None for process in processes):
            if any(process.poll() for process in processes):
                _end(processes)
            time.sleep(0.1)
    return next((process.returncode for process in processes if process.returncode), 0)


def _start(
    arguments: Sequence[str], gpus: Sequence[int], *, rank: int, port: int
) -> subprocess.Popen:
    environment = {
        **os.environ,
        "CUDA_VISIBLE_DEVICES": _visible(gpus),
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(len(gpus)),
        "LOCAL_WORLD_SIZE": str(len(gpus)),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        _LAUNCHED: "1",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "snac_train", *arguments],
        env=environment,
        start_new_session=True,  # Ctrl-C reaches this process alone, which passes it on once
    )


def _visible(gpus: Sequence[int]) -> str:
    """Name GPUs to CUDA: by their numbers among those that this process was given itself."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = given.split(",") if given else None
    return ",".join(names[number] if names else str(number) for number in gpus)


def end_with_launcher() -> None:
    """If ``launch`` started this process, have it asked to stop when the launcher is gone."""
    if _LAUNCHED not in os.environ:
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "prctl"):
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@contextmanager
def _forwarding(processes: Sequence[subprocess.Popen]) -> Iterator[None]:
    def forward(number: int, frame: FrameType | None) -> None:
        for process in processes:
            if process.poll() is None:
                process.send_signal(number)

    before = {number: signal.signal(number, forward) for number in _FORWARDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(processes: Sequence[subprocess.Popen]) -> None:
    """Wait a little for processes to end by themselves, then kill them."""
    deadline = time.monotonic() + GRACE_S
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
