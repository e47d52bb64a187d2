"""How runs and other long work stand, for people: tables that fit, and one run in full."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO

from snac_common.console import visible
from snac_common.jobs import Job
from snac_common.progress import rate
from snac_common.text_table import Column, write_overview
from snac_train.commands.status import Status

COLUMNS: tuple[Column[Status], ...] = (
    Column("run", 0, lambda run: run.run),
    Column("state", 0, lambda run: run.state),
    Column("epoch", 1, lambda run: _of(run.epoch, run.epochs)),
    Column("step", 3, lambda run: _of(run.step, run.steps)),
    Column("samples/s", 5, lambda run: _figure(run.samples_per_s, 1)),
    Column("left", 1, lambda run: duration(run.seconds_left)),
    Column("loss", 4, lambda run: _figure(run.loss)),
    Column("val", 2, lambda run: _figure(run.val.get("loss"))),
    Column("val 24k", 6, lambda run: _figure(run.val.get("24k/loss"))),
    Column("val 48k", 6, lambda run: _figure(run.val.get("48k/loss"))),
    Column("best val", 4, lambda run: _score(run.best.get("combined") or run.best.get("mel", {}))),
    Column("GPU GB", 7, lambda run: _figure(run.gpu_memory_gb, 1)),
    Column("saved", 3, lambda run: _ago(run.checkpoint_seconds_ago)),
)
JOB_COLUMNS: tuple[Column[Job], ...] = (
    Column("work", 0, lambda job: job.command),
    Column("state", 0, lambda job: job.state),
    Column("folder", 3, lambda job: Path(job.folder).name),
    Column("utterances", 1, lambda job: _of(job.done, job.total)),
    Column("rate", 2, lambda job: rate(job.per_second) if job.per_second else ""),
    Column("left", 1, lambda job: duration(job.seconds_left())),
    Column("process", 5, lambda job: f"{job.pid} on {job.host}" if job.runs() else ""),
    Column("since", 4, lambda job: job.started),
)


def write_runs(runs: Sequence[Status], width: int | None, output: IO[str]) -> None:
    """Write one line a run, with the columns for which ``width`` characters suffice."""
    write_overview(COLUMNS, runs, width, output)
    output.write("\n")


def write_jobs(jobs: Sequence[Job], width: int | None, output: IO[str]) -> None:
    """Write one line a folder that a command fills."""
    write_overview(JOB_COLUMNS, jobs, width, output)
    output.write("\n")
    for job in jobs:
        if job.message:
            output.write(f"{job.command} in {job.folder} {job.state}: {visible(job.message)}\n\n")


def write_details(run: Status, output: IO[str]) -> None:
    """Write all that is known of a run."""
    lines = {
        "run": run.folder,
        "state": _joined(run.state, run.message),
        "process": _process(run),
        "from": run.base,
        "started": run.started,
        "wrote": _ago(run.written_seconds_ago),
        "epoch": _joined(_of(run.epoch, run.epochs), run.stage),
        "step": _of(run.step, run.steps),
        "speed": _with_unit(_figure(run.samples_per_s, 1), "samples/s"),
        "time left": duration(run.seconds_left),
        "loss": _figure(run.loss),
        "val": _losses(run.val),
        "starting model": _losses(run.baseline),
        "best": "; ".join(f"{name} {_score(entry)}" for name, entry in run.best.items()),
        "GPU memory": _with_unit(_figure(run.gpu_memory_gb, 1), "GB"),
        "checkpoint": _joined(run.checkpoint, _ago(run.checkpoint_seconds_ago)),
    }
    output.writelines(f"{name:<16}{text}\n" for name, text in lines.items() if text)
    output.write("\n")


def duration(seconds: float | None) -> str:
    """Say a duration in its two largest units."""
    if seconds is None:
        return ""
    minutes, hours, days = int(seconds) // 60, int(seconds) // 3600, int(seconds) // 86_400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} m"
    return f"{minutes} m {int(seconds) % 60} s" if minutes else f"{int(seconds)} s"


def _figure(value: float | None, digits: int = 4) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _of(done: int | None, planned: int | None) -> str:
    """Say ``3/15``."""
    if done is None:
        return ""
    return f"{done:,}" if planned is None else f"{done:,}/{planned:,}"


def _ago(seconds: float | None) -> str:
    return "" if seconds is None else f"{duration(seconds)} ago"


def _score(entry: dict[str, float]) -> str:
    """Say a best score and where it was reached."""
    epoch = f"epoch {entry['epoch']:.0f}" if "epoch" in entry else ""
    return _joined(_figure(entry.get("score")), epoch)


def _losses(losses: dict[str, float]) -> str:
    """Say the losses without the parts that they are sums of."""
    totals = {name: value for name, value in losses.items() if name.endswith("loss")}
    return ", ".join(f"{name} {value:.4f}" for name, value in totals.items())


def _process(run: Status) -> str:
    of_several = f"the first of {run.processes}" if (run.processes or 1) > 1 else ""
    place = " on ".join(part for part in (run.device, run.host) if part)
    return _joined("" if run.pid is None else str(run.pid), of_several, place)


def _with_unit(figure: str, unit: str) -> str:
    return f"{figure} {unit}" if figure else ""


def _joined(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)
