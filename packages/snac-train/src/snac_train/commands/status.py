"""How runs stand, from what they write; nothing of it needs torch."""

import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snac_common.artifacts import LOG, METRICS, STATE, Artifacts
from snac_common.errors import Failure
from snac_common.jobs import DEAD, UNKNOWN
from snac_common.run_files import RunState
from snac_common.run_names import run_folders
from snac_common.tails import last_lines, tail
from snac_train.run.run_folder import is_running, last_written


@dataclass(frozen=True)
class Status:
    """How a run stands; None for what it has not written, or what cannot be read.

    Attributes:
        state: ``running``, ``finished``, ``stopped``, ``failed``; ``dead`` if ``run.json`` says
            running but the process is gone; ``unknown`` if it cannot be read.
        message: why it failed, or what is wrong with ``run.json``.
        epochs: of the whole plan, as ``steps`` and ``samples``.
        samples: segments, as ``samples_seen``.
        seconds_left: of a running one, at the speed of the last training line.
        loss: mean of the last training line.
        val: losses of the last validation.
        best: by the score's name, its ``score``, ``epoch`` and ``step``.
        checkpoint: the newest one's folder.
    """

    run: str
    folder: str
    state: str
    message: str | None
    pid: int | None
    host: str | None
    device: str | None
    processes: int | None
    base: str | None
    started: str | None
    written_seconds_ago: float
    stage: str | None
    epoch: int | None
    epochs: int | None
    step: int | None
    steps: int | None
    samples_seen: int | None
    samples: int | None
    samples_per_s: float | None
    seconds_left: float | None
    loss: float | None
    val: dict[str, float]
    baseline: dict[str, float]
    best: dict[str, dict[str, float]]
    gpu_memory_gb: float | None
    checkpoint: str | None
    checkpoint_seconds_ago: float | None


def find_runs(places: Artifacts) -> list[Path]:
    """Return the folders that hold a run, the one that wrote last first."""
    return sorted(run_folders(places), key=lambda run: (-last_written(run), run.name))


def read_status(run: Path) -> Status:
    """Return how a run stands; reads only the end of its metrics."""
    state, damage = read_state(run)
    lines = list(_last_metrics(run / METRICS))
    last = _last(lines)
    train = _last([line for line in lines if line.get("kind") == "train"])
    plan = state.plan or {}
    saved = _newest_checkpoint(run)
    name = _state(run, state)
    seen, samples = _whole(last.get("samples_seen")), _whole(plan.get("samples"))
    speed = _number(train.get("samples_per_s"))
    return Status(
        run=run.name,
        folder=str(run),
        state=name,
        message=state.message if name == "failed" else damage,
        pid=state.pid,
        host=state.host,
        device=state.device,
        processes=state.processes,
        base=state.base,
        started=state.started,
        written_seconds_ago=_age(last_written(run)),
        stage=_text(train.get("stage")),
        epoch=_whole(last.get("epoch")),
        epochs=_whole(plan.get("epochs")),
        step=_last_step(last, saved),
        steps=_whole(plan.get("steps")),
        samples_seen=seen,
        samples=samples,
        samples_per_s=speed,
        seconds_left=_seconds_left(samples, seen, speed) if name == "running" else None,
        loss=_number(train.get("loss")),
        val=_numbers(state.val),
        baseline=_numbers(state.baseline),
        best={score: _numbers(entry) for score, entry in (state.best or {}).items()},
        gpu_memory_gb=_number(train.get("gpu_memory_gb")),
        checkpoint=str(saved) if saved else None,
        checkpoint_seconds_ago=_age(saved.stat().st_mtime) if saved else None,
    )


def read_state(run: Path) -> tuple[RunState, str | None]:
    """Return what ``run.json`` says, and what is wrong with it; ``unknown`` if it is not there."""
    try:
        return RunState.read(run / STATE), None
    except Failure as failure:
        return RunState(UNKNOWN), str(failure) if (run / STATE).exists() else None


def log_tail(run: Path, count: int) -> list[str]:
    """Return the last lines of a run's log: of the detached command's, if that is the newer one."""
    logs = [path for path in (run / LOG, detached_log(run)) if path.is_file()]
    if not logs or not count:
        return []
    return last_lines(max(logs, key=lambda path: path.stat().st_mtime), count)


def detached_log(run: Path) -> Path:
    """Return where a run that was started detached writes what else would go to the terminal."""
    return run.with_name(f"{run.name}.log")


def _last_metrics(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the last lines of the metrics; damaged and half-written ones are left out."""
    for line in tail(path).splitlines():
        try:
            parsed = json.loads(line)
        except ValueError:
            continue
        if isinstance(parsed, dict):
            yield parsed


def _last(lines: list[dict[str, Any]]) -> dict[str, Any]:
    return lines[-1] if lines else {}


def _state(run: Path, state: RunState) -> str:
    dead = state.state == "running" and not is_running(run, state)
    return DEAD if dead else state.state


def _newest_checkpoint(run: Path) -> Path | None:
    """Return the newest checkpoint that was written to its end."""
    whole = [path.parent for path in (run / "checkpoints").glob("step-*[0-9]/manifest.json")]
    return max(whole, default=None)


def _last_step(last: dict[str, Any], saved: Path | None) -> int | None:
    """Return the last step known of: a checkpoint may be of a later one than the metrics."""
    number = "" if saved is None else saved.name.removeprefix("step-")
    known = [int(number) if number.isdecimal() else None, _whole(last.get("step"))]
    return max((step for step in known if step is not None), default=None)


def _seconds_left(samples: int | None, seen: int | None, speed: float | None) -> float | None:
    return None if samples is None or seen is None or not speed else (samples - seen) / speed


def _age(when: float) -> float:
    return round(max(0.0, time.time() - when), 1)


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _numbers(value: object) -> dict[str, float]:
    """Return the numbers of a table."""
    return {name: number for name, each in _table(value).items() if (number := _number(each))}
