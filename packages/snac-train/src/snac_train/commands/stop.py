"""Stopping a run: by its process's number, when that is certain to be its process still."""

import os
import select
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from snac_common.errors import Failure
from snac_train.commands.status import UNKNOWN, Status, read_state, read_status
from snac_train.run.run_folder import process_started

# signals, and the seconds that each is given to end the process
Signals = Sequence[tuple[signal.Signals, float | None]]
GENTLY: Signals = ((signal.SIGTERM, None),)
AT_ONCE: Signals = ((signal.SIGTERM, 2.0), (signal.SIGTERM, 10.0), (signal.SIGKILL, None))


def stop(run: Path, say: Callable[[str], object], *, at_once: bool = False) -> Status:
    """Ask a run to save and end, and wait until it has; a second such wish ends it without saving.

    Args:
        say: told what is being done.
        at_once: do not let it save, and kill it if it does not answer.

    Returns:
        How the run stands then.

    Raises:
        Failure: if it is trained on another machine, or ``run.json`` is damaged.
    """
    status = read_status(run)
    if status.state == UNKNOWN and status.message:
        raise Failure(f"it cannot be told whether {run.name} runs: {status.message}")
    if status.state != "running":
        say(f"{run.name} is not running: it is {status.state}")
        return status
    if status.host != os.uname().nodename:
        raise Failure(f"{run.name} is trained on {status.host}: stop it there")
    say(f"asking process {status.pid} to {'end' if at_once else 'save and end'}")
    state, _ = read_state(run)
    if state.pid is not None and state.process_started is not None:
        end_process(state.pid, state.process_started, AT_ONCE if at_once else GENTLY)
    return _say_how_it_ended(read_status(run), say)


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


def _say_how_it_ended(status: Status, say: Callable[[str], object]) -> Status:
    if status.state == "dead":
        say(f"{status.run} was killed; what came after its last checkpoint is lost")
    else:
        say(f"{status.run} is {status.state}, after step {status.step}")
    say(f"last checkpoint: {status.checkpoint or 'none'}")
    return status
