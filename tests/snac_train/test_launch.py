"""One process a GPU: started together, stopped together. (Here they compute on the CPU.)"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from whole_runs import arguments

from snac_train.distributed import launch

LAUNCH = """
import sys
from snac_train.commands import launch
launch.GRACE_S = 1.0
sys.exit(launch.launch(sys.argv[1:], [0, 1]))
"""


def start(root: Path, codes: Path) -> subprocess.Popen:
    """Launch two processes on a long run, and return when they have taken a step."""
    longer = ["--set", "curriculum.epochs=500", "--set", "curriculum.epoch_ranges=1-2,3-500"]
    words = [str(word) for word in arguments(root, codes, *longer)]
    errors = (root / "log").open("w")
    process = subprocess.Popen([sys.executable, "-c", LAUNCH, *words], stderr=errors)
    metrics = root / "runs/one/metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and '"train"' in metrics.read_text()):
        time.sleep(0.1)
    return process


def children(process: subprocess.Popen) -> list[int]:
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(number) for number in listed.split()]


def test_a_signal_reaches_every_process(voices: Path, tmp_path: Path) -> None:
    process = start(tmp_path, voices)
    started = children(process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143, (tmp_path / "log").read_text()
    assert len(started) == 2
    state = json.loads((tmp_path / "runs/one/run.json").read_text())
    assert (state["state"], state["processes"]) == ("stopped", 2)
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_process_that_dies_takes_the_others_down(voices: Path, tmp_path: Path) -> None:
    process = start(tmp_path, voices)
    started = children(process)
    os.kill(started[0], signal.SIGSTOP)  # as one that waits for the others for good
    os.kill(started[1], signal.SIGKILL)
    assert process.wait(60) != 0
    assert not any(Path(f"/proc/{number}").exists() for number in started)


def test_gpus_are_counted_among_those_that_were_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert launch._visible([0, 2]) == "0,2"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-abc,7")
    assert launch._visible([0, 2]) == "4,7"
