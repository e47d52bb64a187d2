"""Processes that were started earlier: whether one still runs, and how it is ended."""

import os
import select
import signal
import time
from collections.abc import Sequence
from pathlib import Path

# signals, and the seconds that each is given to end the process
Signals = Sequence[tuple[signal.Signals, float | None]]
GENTLY: Signals = ((signal.SIGTERM, None),)
AT_ONCE: Signals = ((signal.SIGTERM, 2.0), (signal.SIGTERM, 10.0), (signal.SIGKILL, None))

SILENT_AFTER_S = 900.0  # a process on another machine that wrote nothing for so long is gone


def process_started(pid: int) -> int | None:
    """Return when a process started, in clock ticks since the machine did; None if it is gone.

    With its number this tells a process from a later one that was given the same number.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    state, started = fields[0], fields[19]
    return None if state in "ZX" else int(started)


def still_runs(pid: int | None, started: int | None, host: str | None, last_written: float) -> bool:
    """Say whether the process that wrote down these facts of itself runs still.

    One of another machine is taken to run while it writes.

    Args:
        started: as ``process_started`` says.
        last_written: when it last wrote something, in seconds since the epoch.
    """
    if pid is None:
        return False
    if host == os.uname().nodename:
        return process_started(pid) == started
    return time.time() - last_written < SILENT_AFTER_S


def end_process(pid: int, started: int, signals: Signals) -> None:
    """Send signals one after another until a process has ended.

    The handle is of one process for good: what gets its number later cannot be hit.

    Args:
        started: as ``process_started`` says; another process with this number is left alone.
    """
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if process_started(pid) != started:
            return
        for number, patience in signals:
            signal.pidfd_send_signal(handle, number)
            if select.select([handle], [], [], patience)[0]:
                return
    except ProcessLookupError:
        return
    finally:
        os.close(handle)
