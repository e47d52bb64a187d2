"""Stopping runs and other long work: by a process's number, when that is certain to be it still."""

import os
from collections.abc import Callable
from pathlib import Path

from snac_common.artifacts import Artifacts
from snac_common.errors import Failure
from snac_common.jobs import DEAD, RUNNING, Job, find_jobs
from snac_common.processes import AT_ONCE, GENTLY, Signals, end_process
from snac_common.run_names import no_such_run
from snac_train.commands.status import UNKNOWN, Status, read_state, read_status

Say = Callable[[str], object]
NO_RUN = "snac-cache and snac-upsample are stopped by these names, or their folders'."


def stop(name: str, places: Artifacts, say: Say, *, at_once: bool = False) -> Status | Job:
    """Ask a run, or a command that fills a folder, to save and end, and wait until it has.

    A second such wish ends it without saving.

    Args:
        name: of the run; or of the command or its folder, such as ``snac-cache`` or ``codes``.
        say: told what is being done.
        at_once: do not let it save, and kill it if it does not answer.

    Returns:
        How it stands then.

    Raises:
        BadInput: if there is no such run.
        Failure: if its process is on another machine, or what it wrote is damaged.
    """
    run = places.run(name)
    signals = AT_ONCE if at_once else GENTLY
    if run.is_dir():
        return _stop_run(run, say, signals)
    jobs = [job for job in find_jobs(places.root) if name in (job.command, Path(job.folder).name)]
    if not jobs:
        raise no_such_run(name, places, NO_RUN)
    return _stop_job(next((job for job in jobs if job.runs()), jobs[0]), places, say, signals)


def _stop_run(run: Path, say: Say, signals: Signals) -> Status:
    status = read_status(run)
    if status.state == UNKNOWN and status.message:
        raise Failure(f"it cannot be told whether {run.name} runs: {status.message}")
    if status.state != RUNNING:
        say(f"{run.name} is not running: it is {status.state}")
        return status
    state, _ = read_state(run)
    _check_is_here(run.name, status.host)
    _end(status.pid, state.process_started, say, signals)
    return _say_how_it_ended(read_status(run), say)


def _stop_job(job: Job, places: Artifacts, say: Say, signals: Signals) -> Job:
    name = f"{job.command} in {job.folder}"
    if not job.runs():
        say(f"{name} is not running: it is {job.state}")
        return job
    _check_is_here(name, job.host)
    _end(job.pid, job.process_started, say, signals)
    ended = next(found for found in find_jobs(places.root) if found.pid == job.pid)
    say(f"{name} is {ended.state}, after {ended.done:,} of {ended.total:,}; what is done is kept")
    return ended


def _check_is_here(name: str, host: str | None) -> None:
    if host != os.uname().nodename:
        raise Failure(f"{name} works on {host}: stop it there")


def _end(pid: int | None, started: int | None, say: Say, signals: Signals) -> None:
    say(f"asking process {pid} to {'save and end' if signals is GENTLY else 'end'}")
    if pid is not None and started is not None:
        end_process(pid, started, signals)


def _say_how_it_ended(status: Status, say: Say) -> Status:
    if status.state == DEAD:
        say(f"{status.run} was killed; what came after its last checkpoint is lost")
    else:
        say(f"{status.run} is {status.state}, after step {status.step}")
    say(f"last checkpoint: {status.checkpoint or 'none'}")
    return status
