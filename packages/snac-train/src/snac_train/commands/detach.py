"""Starting a run that outlives the terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snac_common.detached import say_how_to_watch, start_apart, wait_until_at_work
from snac_train.commands.preflight import check_before
from snac_train.commands.status import detached_log, read_state
from snac_train.recipe.tables import Recipe
from snac_train.run.run_folder import is_running
from snac_train.run.run_lock import INHERITED, RunLock, lock_file
from snac_train.session.train import Request


def check_and_start(
    arguments: Sequence[str], recipe: Recipe, request: Request, gpus: str | None
) -> dict[str, Any]:
    """Check what a run needs, then run ``python -m snac_train`` in the background.

    Returns when it trains.

    Args:
        arguments: of the command to be run.
        gpus: as ``check_before`` takes them.

    Returns:
        The command's summary.

    Raises:
        Failure: if the run should not be started, has been, or ends before it trains.
    """
    run = request.run
    lock = RunLock.take(run)
    try:
        check_before(recipe, request, gpus)
        pid = _start(arguments, run, lock)
    finally:
        lock.release()
    log = detached_log(run)
    say_how_to_watch(
        f"{run.name} trains",
        log,
        status=["--run", run.name],
        stop=run.name,
        root=run.parent.parent,
    )
    return {"run": str(run), "pid": pid, "pid_file": str(lock_file(run)), "log": str(log)}


def _start(arguments: Sequence[str], run: Path, lock: RunLock) -> int:
    """Start the process, hand it the lock, and wait until it trains; return its number.

    Raises:
        Failure: if it ends before; with the end of its log.
    """
    process = start_apart(
        "snac_train",
        arguments,
        detached_log(run),
        inherits=[lock.descriptor],
        variables={INHERITED: str(lock.descriptor)},
    )
    lock.say_who(process.pid)
    wait_until_at_work(
        process, lambda: is_running(run, read_state(run)[0]), run.name, detached_log(run)
    )
    return process.pid
