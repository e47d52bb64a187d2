"""The folder of a run: recipe, metrics, log, state."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from snac_common.artifacts import LOG, METRICS, RECIPE, STATE
from snac_common.console import note
from snac_common.errors import BadInput, Failure
from snac_common.files import TEMPORARY_SUFFIX, write_text
from snac_train.run.appended_lines import AppendedLines
from snac_train.run.wandb_run import WandbRun

SILENT_AFTER_S = 900.0


class RunFolder:
    """Writes what a run leaves; ``run.json`` always says how it stands.

    Args:
        path: the folder.
        writes: whether this process is the one that writes; the others are silent.
        wandb: gets the same metrics, if there is one.
    """

    def __init__(self, path: Path, *, writes: bool = True) -> None:
        self.path = path
        self.writes = writes
        self.state: dict[str, Any] = {}
        self.wandb: WandbRun | None = None
        self.metrics = AppendedLines(path / METRICS)

    def check_unused(self) -> None:
        """Raise Failure if there is anything in the folder already."""
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise Failure(
                f"{self.path} already holds a run, which is never overwritten: "
                "go on with it with --resume, or give --run NAME"
            )

    def create(self) -> None:
        """Start a run's folder; raises Failure if there is anything in it already."""
        self.check_unused()
        self.path.mkdir(parents=True, exist_ok=True)

    def check_resumable(self) -> None:
        """Read how the run stands that is to go on.

        Raises:
            BadInput: if there is no run in it.
            Failure: if another process is training in it.
        """
        if not (self.path / RECIPE).is_file():
            raise BadInput(f"there is no run in {self.path} that --resume could go on with")
        if (self.path / STATE).is_file():
            self.state = json.loads((self.path / STATE).read_text(encoding="utf-8"))
        if is_running(self.path, self.state):
            raise Failure(
                f"process {self.state['pid']} is training in {self.path}: stop it first "
                f"(tools/stop.sh {self.path.name})"
            )

    def reopen(self) -> None:
        """Go on in a run's folder; raises as ``check_resumable`` does."""
        self.check_resumable()
        for leftover in self.path.glob(f"**/*{TEMPORARY_SUFFIX}"):
            if leftover.is_file():
                leftover.unlink()

    def say(self, message: str) -> None:
        """Tell the person, and the log."""
        if self.writes:
            note(message)
            with (self.path / LOG).open("a", encoding="utf-8") as log:
                log.write(f"{now()} {message}\n")

    def record(self, **fields: object) -> None:
        """Write one line of metrics."""
        if self.writes:
            self.metrics.append(fields)
            if self.wandb:
                self.wandb.log(fields)

    def update(self, **fields: Any) -> None:
        """Change what ``run.json`` says."""
        if self.writes:
            self.state |= {**fields, "updated": now()}
            text = json.dumps(self.state, indent=2, ensure_ascii=False)
            write_text(self.path / STATE, text + "\n")

    def end(self, state: str, **fields: Any) -> None:
        """Write down that the run has ended, in ``state``, and close its W&B run."""
        self.update(state=state, ended=now(), **fields)
        if self.wandb:
            best = self.state.get("best", {})
            self.wandb.summarise({f"best/{name}": entry["score"] for name, entry in best.items()})
            self.wandb.finish(failed=state == "failed")
            self.wandb = None

    def write_recipe(self, toml: str) -> None:
        """Write the resolved recipe."""
        if self.writes:
            write_text(self.path / RECIPE, toml)


def is_running(path: Path, state: dict[str, Any]) -> bool:
    """Say whether the run in ``path``, whose ``run.json`` holds ``state``, is being trained.

    What another machine trains is taken to run while it writes.
    """
    if state.get("state") != "running":
        return False
    if state.get("host") == os.uname().nodename:
        return process_started(state["pid"]) == state.get("process_started")
    return time.time() - last_written(path) < SILENT_AFTER_S


def last_written(path: Path) -> float:
    """Return when a run last wrote something, in seconds since the epoch."""
    files = (path / name for name in (METRICS, LOG, STATE))
    return max((file.stat().st_mtime for file in files if file.exists()), default=0.0)


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


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
