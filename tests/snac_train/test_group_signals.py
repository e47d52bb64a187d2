"""Batch systems and launchers signal every process of a job, some of them twice: a run saves."""

import json
import os
import signal
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import killing
import pytest
from killing import Surroundings
from training import manifest_of
from whole_runs import RECIPE, settings

LONG = {"curriculum.epochs": "500", "curriculum.epoch_ranges": "1-2,3-500"}


def start(voices: Path, root: Path) -> ForkServerProcess:
    """Start a run with two readers, in a group of its own."""
    place = ("--artifacts", root, "--codes", voices, "--manifest", manifest_of(voices))
    arguments = ("--phase", 12, *place, "--run", "one", "--device", "cpu", "--workers", 2)
    line = [*arguments, *settings(RECIPE | LONG)]
    surroundings = Surroundings(own_group=True)
    return killing.start(killing.TRAIN, line, log=root / "log", surroundings=surroundings)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.campaign)],
)
def test_a_signal_to_the_whole_group_and_again_saves(
    voices: Path, tmp_path: Path, number: int, code: int
) -> None:
    run, log = tmp_path / "runs/one", tmp_path / "log"
    process = start(voices, tmp_path)
    wait_for_steps(process, run / "metrics.jsonl", 5)
    for _ in range(3):
        os.killpg(int(process.pid or 0), number)
        time.sleep(0.1)
    process.join(60)
    assert process.exitcode == code, log.read_text()
    assert "Traceback" not in log.read_text()
    assert json.loads((run / "run.json").read_text())["state"] == "stopped"
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])["step"]
    newest = max((run / "checkpoints").glob("step-*"))
    assert int(newest.name.removeprefix("step-")) >= last


def test_readers_end_with_a_trainer_that_is_killed(voices: Path, tmp_path: Path) -> None:
    process = start(voices, tmp_path)
    wait_for_steps(process, tmp_path / "runs/one/metrics.jsonl", 1)
    server = next(pid for pid in children(int(process.pid or 0)) if children(pid))
    readers = children(server)
    assert len(readers) == 2
    process.kill()
    process.join()
    for _ in range(200):
        if not any(Path(f"/proc/{pid}").exists() for pid in (server, *readers)):
            return
        time.sleep(0.1)
    for pid in (server, *readers):
        os.kill(pid, signal.SIGKILL)
    pytest.fail("readers were left behind")


def children(pid: int) -> list[int]:
    """Return a process's children."""
    paths = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in paths for child in path.read_text().split()]


def wait_for_steps(process: ForkServerProcess, metrics: Path, steps: int) -> None:
    """Return when so many steps are logged, or the process has ended."""
    while process.exitcode is None:
        if metrics.exists() and metrics.read_text().count('"train"') >= steps:
            return
        time.sleep(0.05)
