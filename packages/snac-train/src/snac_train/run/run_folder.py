"""The folder of a run: recipe, metrics, log, state."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from snac_common.artifacts import LOG, METRICS, RECIPE, STATE
from snac_common.console import note
from snac_common.copying import keep_back
from snac_common.errors import BadInput, Failure
from snac_common.files import TEMPORARY_SUFFIX, write_text
from snac_common.full_disk import told_when_full
from snac_common.jobs import DEAD
from snac_common.processes import still_runs
from snac_common.run_files import RunState
from snac_common.run_mirror import send_run
from snac_train.run.appended_lines import AppendedLines
from snac_train.run.heartbeat import NAME as HEARTBEAT
from snac_train.run.heartbeat import Heartbeat, last_beat, shows_life
from snac_train.run.run_lock import RunLock
from snac_train.run.wandb_run import WandbRun


class RunFolder:
    """Writes what a run leaves; ``run.json`` always says how it stands.

    Args:
        path: the folder.
        writes: whether this process is the one that writes; the others are silent.

    Attributes:
        state: what ``run.json`` says.
        wandb: gets the same metrics, if there is one.
    """

    def __init__(self, path: Path, *, writes: bool = True) -> None:
        self.path = path
        self.writes = writes
        self.state: dict[str, Any] = {}
        self.wandb: WandbRun | None = None
        self.metrics = AppendedLines(path / METRICS)
        self._lock: RunLock | None = None
        self._heartbeat: Heartbeat | None = None

    def check_unused(self) -> None:
        """Raise Failure if there is anything in the folder but what a killed start left."""
        if self.path.exists() and not (self.path.is_dir() and not self._content()):
            raise Failure(
                f"{self.path} already holds a run, which is never overwritten: "
                "go on with it with --resume, or give --run NAME"
            )

    def create(self) -> None:
        """Start a run's folder, and hold it until ``release``, or this process's end.

        Raises:
            Failure: if there is anything in it already, or another process starts a run in it.
        """
        self._hold(self.check_unused)
        self._remove_leftovers()

    def check_resumable(self) -> None:
        """Read how the run stands that is to go on.

        Raises:
            BadInput: if there is no run in it.
            Failure: if another process is training in it, or ``run.json`` is damaged.
        """
        if not (self.path / RECIPE).is_file():
            raise BadInput(f"there is no run in {self.path} that --resume could go on with")
        if not (self.path / STATE).is_file():
            return
        state = RunState.read(self.path / STATE)
        if is_running(self.path, state):
            raise Failure(
                f"process {state.pid} is training in {self.path}: stop it first "
                f"(snac-stop {self.path.name})"
            )
        self._was_killed_if_running(state)

    def reopen(self) -> None:
        """Go on in a run's folder, and hold it until ``release``, or this process's end.

        A run that another machine seems to train is watched until it is sure that this is gone.

        Raises:
            Failure: as ``check_resumable`` does, or if another process goes on with it.
        """
        self._hold(self._check_gone)
        self._remove_leftovers()

    def _check_gone(self) -> None:
        """As ``check_resumable``, but of another machine only a sign of life counts."""
        if (self.path / STATE).is_file():
            state = RunState.read(self.path / STATE)
            if state.state == "running" and state.host != os.uname().nodename:
                note(f"{self.path.name} was trained on {state.host}: going on if that is gone")
                if shows_life(self.path):
                    raise Failure(f"{state.host} is training in {self.path}: stop it first")
                self._was_killed_if_running(state)
                return
        self.check_resumable()

    def _was_killed_if_running(self, state: RunState) -> None:
        """Take how a run stands that does not run now, and not before this process has begun."""
        self.state = state.fields() | ({"state": DEAD} if state.state == "running" else {})

    def release(self) -> None:
        """Let another process go on with the run."""
        if self._heartbeat:
            self._heartbeat.stop()
            self._heartbeat = None
        if self._lock:
            self._lock.release()
            self._lock = None

    def _hold(self, check: Callable[[], None]) -> None:
        self._lock = RunLock.take(self.path)
        keep_back(self.path)
        try:
            check()
        except Failure:
            self.release()
            raise
        self.path.mkdir(parents=True, exist_ok=True)
        self._heartbeat = Heartbeat(self.path)

    def _content(self) -> list[Path]:
        return [
            path
            for path in self.path.iterdir()
            if path.suffix != TEMPORARY_SUFFIX and path.name != HEARTBEAT
        ]

    def _remove_leftovers(self) -> None:
        for leftover in self.path.glob(f"**/*{TEMPORARY_SUFFIX}"):
            if leftover.is_file():
                leftover.unlink()

    def log(self, message: str) -> None:
        """Tell the person, and the log."""
        if self.writes:
            note(message)
            path = self.path / LOG
            with told_when_full(path), path.open("a", encoding="utf-8") as log:
                log.write(f"{now()} {message}\n")

    def record(self, **fields: object) -> None:
        """Write one line of metrics."""
        if self.writes:
            line = self.metrics.append(fields)
            if self.wandb:
                self.wandb.log(fields, line)

    def update(self, **fields: Any) -> None:
        """Change fields of ``run.json``, those of ``RunState``."""
        if self.writes:
            self.state |= {**fields, "updated": now()}
            RunState(**self.state).write(self.path / STATE)

    def copy_up(self) -> None:
        """Copy what the run has written to its object store, if it belongs into one.

        A store that cannot be reached stops no training: what it did not take goes up next time.
        """
        if self.writes:
            try:
                send_run(self.path)
            except Failure as failure:
                self.log(f"not copied up: {failure} The next save tries again.")

    def end(self, state: str, **fields: Any) -> None:
        """Write down that the run has ended, in ``state``, close its W&B run, and let it go."""
        self.update(state=state, ended=now(), **fields)
        if self.wandb:
            best = self.state.get("best", {})
            self.wandb.summarise({f"best/{name}": entry["score"] for name, entry in best.items()})
            self.wandb.finish(failed=state == "failed")
            self.wandb = None
        self.copy_up()
        self.release()

    def write_recipe(self, toml: str) -> None:
        """Write the resolved recipe."""
        if self.writes:
            write_text(self.path / RECIPE, toml)


def is_running(path: Path, state: RunState) -> bool:
    """Say whether the run in ``path``, of which ``run.json`` says ``state``, is being trained.

    What another machine trains is taken to run while it writes or shows life.
    """
    seen = max(last_written(path), last_beat(path))
    return state.state == "running" and still_runs(
        state.pid, state.process_started, state.host, seen
    )


def last_written(path: Path) -> float:
    """Return when a run last wrote something, in seconds since the epoch."""
    files = (path / name for name in (METRICS, LOG, STATE))
    return max((file.stat().st_mtime for file in files if file.exists()), default=0.0)


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
