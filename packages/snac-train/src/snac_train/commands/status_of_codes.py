"""How far a cache is, and who is at work on it, for people and for programs."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from snac_cache.store.progress import CacheProgress
from snac_common.jobs import RUNNING, Job, find_jobs
from snac_train.commands.status_table import duration

SILENT_S = 60.0  # a command at work writes every two seconds


def jobs_of(folder: Path) -> list[Job]:
    """Return the commands that have worked on a folder of codes."""
    return [
        job
        for job in find_jobs(folder.resolve().parent)
        if Path(job.folder).resolve() == folder.resolve()
    ]


def fields(progress: CacheProgress, jobs: Sequence[Job], now: float) -> dict[str, Any]:
    """Return all of it by name.

    Args:
        now: seconds since the epoch.
    """
    at_work = [job for job in jobs if job.state == RUNNING]
    speed = sum(job.per_second or 0.0 for job in at_work)
    seconds = progress.audio_seconds / progress.rows if progress.rows else 0.0
    return {
        **asdict(progress),
        "folder": str(progress.folder),
        "rows_left": progress.rows_left,
        "utterances_per_s": round(speed, 3),
        "audio_seconds_per_s": round(speed * seconds, 1),
        "seconds_left": progress.rows_left / speed if speed else None,
        "commands": [
            {
                "process": f"{job.pid} on {job.host}",
                "state": job.state,
                "silent_s": round(now - job.updated, 1),
            }
            for job in jobs
        ],
    }


def write_fields(said: dict[str, Any], output: IO[str]) -> None:
    """Write it as lines, with those who should be at work and have fallen silent last."""
    reasons = sorted(said["rejects"].items(), key=lambda item: -item[1])
    lines = {
        "codes": said["folder"],
        "parts": f"{said['finished']:,} of {said['parts']:,} finished",
        "utterances": f"{said['rows']:,} of {said['planned_rows']:,} cached, "
        f"{said['rows_left']:,} left",
        "audio": f"{said['audio_seconds'] / 3600:,.1f} hours",
        "rejects": ", ".join(f"{reason} {count:,}" for reason, count in reasons) or "none",
        "speed": _speed(said),
        "time left": duration(said["seconds_left"]) if said["rows_left"] else "",
    }
    output.writelines(f"{name:<12}{text}\n" for name, text in lines.items() if text)
    for command in said["commands"]:
        silent = command["silent_s"] > SILENT_S and command["state"] not in (
            "finished",
            "stopped",
        )
        if silent or command["state"] == RUNNING:
            word = f", silent for {duration(command['silent_s'])}" if silent else ""
            output.write(f"{'process':<12}{command['process']}: {command['state']}{word}\n")
    output.write("\n")


def _speed(said: dict[str, Any]) -> str:
    if said["utterances_per_s"]:
        return (
            f"{said['utterances_per_s']:,.1f} utterances/s, "
            f"{said['audio_seconds_per_s']:,.0f} times real time"
        )
    return "nobody is at work" if said["rows_left"] else ""
