"""Starting a run that outlives the terminal."""

import fcntl
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from snac_common.artifacts import Artifacts
from snac_common.console import note
from snac_common.errors import Failure
from snac_train.commands.preflight import check_before
from snac_train.commands.status import detached_log, log_tail, read_state
from snac_train.recipe.tables import Recipe
from snac_train.run.run_folder import is_running
from snac_train.session.train import Request

SECONDS_BETWEEN_LOOKS = 0.2
LINES_SHOWN = 15


def pid_file(run: Path) -> Path:
    """Return where the number of a detached run's process is; locked for as long as it lives."""
    return run.with_name(f"{run.name}.pid")


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
    with _claimed(request.run) as claim:
        check_before(recipe, request, gpus)
        process = _start(arguments, request.run, claim)
    _say_how_to_watch(request.run)
    return {
        "run": str(request.run),
        "pid": process.pid,
        "pid_file": str(pid_file(request.run)),
        "log": str(detached_log(request.run)),
    }


@contextmanager
def _claimed(run: Path) -> Iterator[IO[str]]:
    """Yield the run's pid file, locked; processes that inherit it hold the lock until they end.

    Raises:
        Failure: if the process of another start holds it.
    """
    path = pid_file(run)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure(
                f"{run.name} has been started already, as {path} says; stop it first "
                f"(tools/stop.sh {run.name})"
            ) from None
        yield file


def _start(arguments: Sequence[str], run: Path, claim: IO[str]) -> subprocess.Popen:
    """Start the process in a session of its own, and wait until it trains.

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
            pass_fds=[claim.fileno()],
        )
    claim.truncate(0)
    claim.write(f"{process.pid}\n")
    claim.flush()
    try:
        _wait_until_it_trains(process, run)
    except BaseException:
        process.terminate()
        raise
    return process


def _wait_until_it_trains(process: subprocess.Popen, run: Path) -> None:
    while process.poll() is None and not is_running(run, read_state(run)):
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
