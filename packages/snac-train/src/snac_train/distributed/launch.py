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

from snac_common.visible_gpus import VISIBLE, visible_gpus

DIED_S = 20.0  # for the others to end when one was killed: they may wait for it for good
FAILED_S = 120.0  # when one failed in order: then all of them do, and the main one ends W&B's run
LOOK_EVERY_S = 0.1

# Exit codes of a process that has come to its end, or was asked to stop; the main one saves then,
# however long that takes.
_IN_ORDER = (0, 128 + signal.SIGINT, 128 + signal.SIGTERM)
# A terminal that is closed asks to stop, as SIGTERM does.
_FORWARDED = {
    signal.SIGINT: signal.SIGINT,
    signal.SIGTERM: signal.SIGTERM,
    signal.SIGHUP: signal.SIGTERM,
    signal.SIGUSR1: signal.SIGUSR1,
}
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LAUNCHER = "SNAC_TRAIN_LAUNCHER"  # its process's number


def launch(arguments: Sequence[str], gpus: Sequence[int], main_inherits: Sequence[int] = ()) -> int:
    """Run ``python -m snac_train`` with ``arguments`` once a GPU and return the exit code.

    A process that dies or fails takes the others down after a while. Signals go on to all of them,
    to each once: they are in sessions of their own, where neither a terminal's Ctrl-C nor a batch
    system's signal to the group reaches them too.

    Args:
        gpus: counted among those that this process was given itself.
        main_inherits: open files that the main process gets, which is the first.
    """
    port = _free_port()
    processes: list[subprocess.Popen] = []
    with _forwarding(processes):
        for rank in range(len(gpus)):
            inherits = () if rank else main_inherits
            environment = _environment(gpus, rank=rank, port=port)
            processes.append(_start(arguments, environment, inherits))
        codes = _wait(processes)
    died = next((code for code in codes if code < 0), 0)
    return 128 - died if died else next(filter(None, codes), 0)


def _environment(gpus: Sequence[int], *, rank: int, port: int) -> dict[str, str]:
    return {
        **os.environ,
        VISIBLE: ",".join(visible_gpus(gpus)),
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(len(gpus)),
        "LOCAL_WORLD_SIZE": str(len(gpus)),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        _LAUNCHER: str(os.getpid()),
    }


def _start(
    arguments: Sequence[str], environment: dict[str, str], inherits: Sequence[int]
) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "snac_train", *arguments],
        env=environment,
        pass_fds=inherits,
        start_new_session=True,
    )


def _wait(processes: Sequence[subprocess.Popen]) -> list[int]:
    """Wait until all processes have ended, and kill what others left behind for too long.

    Returns:
        The exit codes of those that ended by themselves, negative for a signal.
    """
    died_at: float | None = None
    failed_at: float | None = None
    while None in (codes := [process.poll() for process in processes]):
        now = time.monotonic()
        if died_at is None and any(code is not None and code < 0 for code in codes):
            died_at = now
        if failed_at is None and not set(codes) <= {None, *_IN_ORDER}:
            failed_at = now
        if _is_over(now, died_at, DIED_S) or _is_over(now, failed_at, FAILED_S):
            _kill(processes)
            break
        time.sleep(LOOK_EVERY_S)
    return [code for code in codes if code is not None]


def _is_over(now: float, since: float | None, seconds: float) -> bool:
    return since is not None and now - since > seconds


def _kill(processes: Sequence[subprocess.Popen]) -> None:
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def end_with_launcher() -> None:
    """If ``launch`` started this process, have it asked to stop when the launcher is gone."""
    launcher = os.environ.get(_LAUNCHER)
    library = ctypes.CDLL(None)
    if launcher is None or not hasattr(library, "prctl"):
        return
    library.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(launcher):  # it was gone before it could be asked for
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _forwarding(processes: Sequence[subprocess.Popen]) -> Iterator[None]:
    def forward(number: int, frame: FrameType | None) -> None:
        for process in processes:
            if process.poll() is None:
                process.send_signal(_FORWARDED[signal.Signals(number)])

    # What is ignored stays so: nohup has SIGHUP ignored, here and in the children.
    heard = [number for number in _FORWARDED if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, forward) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
