"""The lock of a run, which the process that trains holds as long as it lives."""

import fcntl
import os
import time
from pathlib import Path
from typing import IO, Self
from weakref import WeakSet

from snac_common.console import note
from snac_common.errors import Failure
from snac_common.processes import process_started

LETS_GO_WITHIN_S = 10.0
INHERITED = "SNAC_TRAIN_LOCK"  # names the open file that a process got from the one that started it


def lock_file(run: Path) -> Path:
    """Return where the lock is, beside the run's folder; it holds the process's number."""
    return run.with_name(f"{run.name}.pid")


class RunLock:
    """A lock that the system takes back whatever ends this process.

    Forked children do not hold it on. A process that is to train in this one's place can be handed
    it: the open file ``descriptor``, and its number in the environment variable ``INHERITED``.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        _held.add(self)

    @classmethod
    def take(cls, run: Path) -> Self:
        """Take the lock of a run, or the one that this process was handed.

        Raises:
            Failure: if another process holds it.
        """
        path = lock_file(run)
        if (descriptor := inherited_lock(path)) is not None:
            del os.environ[INHERITED]
            os.set_inheritable(descriptor, False)
            return cls(os.fdopen(descriptor, "a+"))
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
        try:
            _lock(file)
        except BlockingIOError:
            holder = _holder(file) or "unknown"
            file.close()
            raise Failure(
                f"{run.name} has been started already (process {holder}, says {path}); stop it "
                f"first (snac-stop {run.name})"
            ) from None
        except OSError as error:  # a file system without locks
            note(f"{path} cannot be locked ({error.strerror}): do not start this run twice")
        lock = cls(file)
        lock.say_who(os.getpid())
        return lock

    @property
    def descriptor(self) -> int:
        """The open file, for a process that is to hold the lock in this one's place."""
        return self._file.fileno()

    def say_who(self, pid: int) -> None:
        """Write down which process holds the lock."""
        self._file.truncate(0)
        self._file.write(f"{pid}\n")
        self._file.flush()

    def release(self) -> None:
        """Let go of the lock, unless another process was handed it too."""
        self._file.close()


def inherited_lock(path: Path) -> int | None:
    """Return the open file of the lock at ``path`` that this process was handed, if it was."""
    text = os.environ.get(INHERITED, "")
    try:
        descriptor = int(text)
        same = os.path.samestat(os.fstat(descriptor), path.stat())
    except (ValueError, OSError):
        return None
    return descriptor if same else None


def _lock(file: IO[str]) -> None:
    """Lock a file; of a process that was killed just now, its threads may hold it a moment longer.

    Raises:
        BlockingIOError: if a process that lives holds it.
    """
    deadline = time.monotonic() + LETS_GO_WITHIN_S
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(file)
            if not holder.isdecimal() or process_started(int(holder)) is not None:
                raise
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _holder(file: IO[str]) -> str:
    """Return the number of the process that holds the lock, as it wrote it down."""
    file.seek(0)
    return file.read().strip()


_held: WeakSet[RunLock] = WeakSet()


def _let_go() -> None:
    for lock in _held:
        lock.release()


os.register_at_fork(after_in_child=_let_go)
