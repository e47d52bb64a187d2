"""Long work that is no training run: who does it, how far it is, and how it ended.

A command keeps its state in the folder that it fills, ``.state.json``. Started detached, it leaves
its output in ``FOLDER.log``, and its process's number in ``FOLDER.pid``, as a training run does.
"""

import json
import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from snac_common.errors import Failure
from snac_common.files import write_text
from snac_common.json_files import read_json_object
from snac_common.processes import process_started, still_runs
from snac_common.tool import Terminated

NAME = ".state"
SUFFIX = ".json"
RUNNING, FINISHED, STOPPED, FAILED = "running", "finished", "stopped", "failed"
DEAD, UNKNOWN = "dead", "unknown"
SECONDS_BETWEEN_WRITES = 2.0
RATE_OVER_S = 60.0

_FIELDS = {
    "command": str,
    "folder": str,
    "state": str,
    "pid": int,
    "process_started": int | None,
    "host": str,
    "started": str,
    "updated": float,
    "done": int,
    "total": int,
    "per_second": float | None,
    "message": str | None,
}


@dataclass(frozen=True)
class Job:
    """One command's work on a folder.

    Attributes:
        command: such as ``snac-cache``.
        folder: that it fills.
        state: ``running``, ``finished``, ``stopped`` or ``failed``; when it is read also ``dead``,
            if it should run but its process is gone, and ``unknown``, if the file is damaged.
        started: date and time; ``updated``: when this was written, in seconds since the epoch.
        done: utterances, of ``total``.
        per_second: over the last minute.
        message: why it failed.
    """

    command: str
    folder: str
    state: str
    pid: int = 0
    process_started: int | None = None
    host: str = ""
    started: str = ""
    updated: float = 0.0
    done: int = 0
    total: int = 0
    per_second: float | None = None
    message: str | None = None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read how a piece of work stands; a damaged file is a job whose state is unknown."""
        try:
            content = read_json_object(path, _FIELDS)
        except Failure as failure:
            return cls(UNKNOWN, str(path.parent), UNKNOWN, message=str(failure))
        job = cls(**{name: content[name] for name in _FIELDS})
        return replace(job, state=DEAD) if job.state == RUNNING and not job.runs() else job

    def runs(self) -> bool:
        """Say whether the process that does it runs."""
        return self.state == RUNNING and still_runs(
            self.pid, self.process_started, self.host, self.updated
        )

    def seconds_left(self) -> float | None:
        """Return how long it takes still, at the speed of the last minute; None if it is over."""
        if self.state != RUNNING or not self.per_second:
            return None
        return (self.total - self.done) / self.per_second

    def fields(self) -> dict[str, object]:
        """Return all of it, by name."""
        return {**asdict(self), "seconds_left": self.seconds_left()}


class Work:
    """Writes down how a piece of work stands, from when it begins."""

    def __init__(self, command: str, folder: Path, share: str = "") -> None:
        self.path = state_file(folder, share)
        self.job = Job(command, str(folder.absolute()), RUNNING)
        self.has_begun = False
        self._seen: deque[tuple[float, int]] = deque()

    def begin(self, total: int, done: int) -> None:
        """Write down that this process does the work; to be called when it holds the folder.

        Args:
            total: utterances of its share, of which ``done`` were finished before.
        """
        pid = os.getpid()
        self.has_begun = True
        self.job = replace(
            self.job,
            pid=pid,
            process_started=process_started(pid),
            host=os.uname().nodename,
            started=time.strftime("%Y-%m-%d %H:%M:%S"),
            done=done,
            total=total,
        )
        self._seen.append((time.monotonic(), done))
        self._write()

    def count(self, count: int) -> None:
        """Count utterances that are done; those before the beginning are not this one's."""
        if not self.has_begun:
            return
        self.job = replace(self.job, done=self.job.done + count)
        if time.time() - self.job.updated >= SECONDS_BETWEEN_WRITES:
            self._write()

    def end(self, state: str, message: str | None = None) -> None:
        """Write down how it ended, unless it never began, or another process works there now."""
        if self.has_begun and Job.read(self.path).pid == self.job.pid:
            self.job = replace(self.job, state=state, message=message)
            self._write()

    def _write(self) -> None:
        now = time.monotonic()
        self._seen.append((now, self.job.done))
        while len(self._seen) > 2 and now - self._seen[0][0] > RATE_OVER_S:
            self._seen.popleft()
        then, done = self._seen[0]
        speed = (self.job.done - done) / (now - then) if now > then else None
        self.job = replace(self.job, updated=time.time(), per_second=speed)
        write_text(self.path, json.dumps(asdict(self.job), indent=2) + "\n", durable=False)


class NotRecorded(Work):
    """Work that leaves no record: of code that calls a command's function itself."""

    def __init__(self) -> None:
        super().__init__("", Path())

    def begin(self, total: int, done: int) -> None:
        """Write nothing down."""


@contextmanager
def recorded(command: str, folder: Path, share: str = "") -> Iterator[Work]:
    """Yield the record of a piece of work; how the block ends is how the work ended.

    Args:
        share: names the part of the work that this process does, where several share it.
    """
    work = Work(command, folder, share)
    try:
        yield work
    except (KeyboardInterrupt, Terminated):
        work.end(STOPPED)
        raise
    except BaseException as error:
        work.end(FAILED, str(error))
        raise
    work.end(FINISHED)


def state_file(folder: Path, share: str = "") -> Path:
    """Return where the state of the work on a folder is."""
    return folder / f"{NAME}{share}{SUFFIX}"


def find_jobs(root: Path) -> list[Job]:
    """Return the work on the folders of an artifact root, what was written last first."""
    jobs = [Job.read(path) for path in root.glob(f"*/{NAME}*{SUFFIX}")]
    return sorted(jobs, key=lambda job: (-job.updated, job.folder))
