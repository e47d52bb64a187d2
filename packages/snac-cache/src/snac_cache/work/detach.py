"""Starting ``snac-cache`` or ``snac-upsample`` so that it outlives the terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snac_cache.work.lock import working_in
from snac_cache.work.ranks import Rank
from snac_common.detached import say_how_to_watch, start_apart, wait_until_at_work
from snac_common.errors import BadInput
from snac_common.files import write_text
from snac_common.jobs import Job, state_file

DETACH = "--detach"
MODULES = {"snac-cache": "snac_cache.cli.cache", "snac-upsample": "snac_cache.cli.upsample"}


def start_detached(
    command: str, arguments: Sequence[str], folder: Path, root: Path, rank: Rank
) -> dict[str, Any]:
    """Run a command of this package in the background; return when it is at work.

    Args:
        command: ``snac-cache`` or ``snac-upsample``.
        arguments: that this command was called with.
        folder: that it fills.
        root: the artifact root.

    Returns:
        The command's summary.

    Raises:
        BadInput: if it was to read from or write to a pipe.
        Failure: if another command is at work in the folder, or it ends before it begins.
    """
    if any(argument == "-" or argument.endswith("=-") for argument in arguments):
        raise BadInput(f"{DETACH} has no pipe to read or write: give files in place of -")
    shared = rank.world > 1
    with working_in(folder, command, shared=shared):
        pass  # found out here, not from the end of a log
    log, pid_file = _beside(folder, rank, ".log"), _beside(folder, rank, ".pid")
    ours = [argument for argument in arguments if argument != DETACH]
    process = start_apart(MODULES[command], ours, log)
    write_text(pid_file, f"{process.pid}\n")
    state = state_file(folder, share(rank))
    wait_until_at_work(process, lambda: Job.read(state).pid == process.pid, command, log)
    say_how_to_watch(f"{command} works", log, status=[], stop=command, root=root)
    return {
        "folder": str(folder),
        "pid": process.pid,
        "pid_file": str(pid_file),
        "log": str(log),
    }


def share(rank: Rank) -> str:
    """Return how files name the share of one of several processes."""
    return f"-{rank.number}-of-{rank.world}" if rank.world > 1 else ""


def _beside(folder: Path, rank: Rank, ending: str) -> Path:
    folder = folder if folder.name else folder.absolute()
    return folder.with_name(folder.name + share(rank) + ending)
