"""Starting a run that outlives the terminal."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snac_common.artifacts import Artifacts
from snac_common.console import note
from snac_common.errors import Failure
from snac_train.commands.preflight import check_before
from snac_train.commands.status import detached_log, log_tail, read_state
from snac_train.recipe.tables import Recipe
from snac_train.run.run_folder import is_running
from snac_train.run.run_lock import INHERITED, RunLock, lock_file
from snac_train.session.train import Request

SECONDS_BETWEEN_LOOKS = 0.2
LINES_SHOWN = 15


def check_and_start(
    arguments: Sequence[str], recipe: Recipe, request: Request, gpus: str | None
) -> dict[str, Any]:
    """Check what a run needs, then run ``python -m snac_train`` apart from the terminal.

    Returns when it trains.

    Args:
        arguments: of the command to be run.
        gpus: as ``check_before`` takes them.

    Returns:
        The command's summary.

    Raises:
        Failure: if the run should not be started, has been, or ends before it trains.
    """
    lock = RunLock.take(request.run)
    try:
        check_before(recipe, request, gpus)
        process = _start(arguments, request.run, lock)
    finally:
        lock.release()
    _say_how_to_watch(request.run)
    return {
        "run": str(request.run),
        "pid": process.pid,
        "pid_file": str(lock_file(request.run)),
        "log": str(detached_log(request.run)),
    }


def _start(arguments: Sequence[str], run: Path, lock: RunLock) -> subprocess.Popen:
    """Start the process in a session of its own, hand it the lock, and wait until it trains.

    Raises:
        Failure: if it ends before; with the end of its log.
    """
    with detached_log(run).open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "snac_train", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=[lock.descriptor],
            env=os.environ | {INHERITED: str(lock.descriptor)},
        )
    lock.say_who(process.pid)
    try:
        _wait_until_it_trains(process, run)
    except BaseException:
        process.terminate()
        raise
    return process


def _wait_until_it_trains(process: subprocess.Popen, run: Path) -> None:
    while process.poll() is None and not is_running(run, read_state(run)[0]):
        time.sleep(SECONDS_BETWEEN_LOOKS)
    if process.returncode:
        lines = "\n".join(log_tail(run, LINES_SHOWN))
        raise Failure(f"{run.name} could not be started; {detached_log(run)} ends:\n{lines}")


def _say_how_to_watch(run: Path) -> None:
    """Say the commands that go with the run, as this one was started: through uv or not."""
    through = "uv run " if "UV" in os.environ else ""
    root = run.parent.parent
    place = "" if Artifacts.at(None).root == root else f" --artifacts {shlex.quote(str(root))}"
    note(f"{run.name} trains, apart from this terminal:")
    note(f"  {through}snac-status --run {run.name}{place}   how far it is, how fast")
    note(f"  tail -f {shlex.quote(str(detached_log(run)))}")
    note(f"  {through}snac-stop {run.name}{place}   saves and ends; go on with --resume")
