"""Batch systems and launchers signal every process of a job, some of them twice: a run saves."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from training import manifest_of
from whole_runs import RECIPE, settings
from workplace import command

LONG = {"curriculum.epochs": "500", "curriculum.epoch_ranges": "1-2,3-500"}


def start(voices: Path, root: Path) -> subprocess.Popen:
    """Start a run with two readers, in a group of its own."""
    place = ("--artifacts", root, "--codes", voices, "--manifest", manifest_of(voices))
    arguments = ("--phase", 12, *place, "--run", "one", "--device", "cpu", "--workers", 2)
    line = command("snac_train", *arguments, *settings(RECIPE | LONG))
    with (root / "log").open("w") as output:
        return subprocess.Popen(line, stderr=output, start_new_session=True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_to_the_whole_group_and_again_saves(
    voices: Path, tmp_path: Path, number: int, code: int
) -> None:
    run, log = tmp_path / "runs/one", tmp_path / "log"
    process = start(voices, tmp_path)
    wait_for_steps(process, run / "metrics.jsonl", 5)
    for _ in range(3):
        os.killpg(process.pid, number)
        time.sleep(0.1)
    assert process.wait(60) == code, log.read_text()
    assert "Traceback" not in log.read_text()
    assert json.loads((run / "run.json").read_text())["state"] == "stopped"
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])["step"]
    newest = max((run / "checkpoints").glob("step-*"))
    assert int(newest.name.removeprefix("step-")) >= last


def test_readers_end_with_a_trainer_that_is_killed(voices: Path, tmp_path: Path) -> None:
    process = start(voices, tmp_path)
    wait_for_steps(process, tmp_path / "runs/one/metrics.jsonl", 1)
    server = next(pid for pid in children(process.pid) if children(pid))
    readers = children(server)
    assert len(readers) == 2
    process.kill()
    process.wait()
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


def wait_for_steps(process: subprocess.Popen, metrics: Path, steps: int) -> None:
    """Return when so many steps are logged, or the process has ended."""
    while process.poll() is None:
        if metrics.exists() and metrics.read_text().count('"train"') >= steps:
            return
        time.sleep(0.05)
