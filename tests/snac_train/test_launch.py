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

from snac_common.visible_gpus import visible_gpus

LAUNCH = """
import os, sys
from snac_train.distributed import launch
launch.DIED_S, launch.FAILED_S = 0.5, 4.0
os.chdir(sys.argv[1])
sys.exit(launch.launch(sys.argv[2:], [0, 1]))
"""
# Stands in for snac_train: each rank does what its argument says.
STAND_IN = """
import os, signal, sys, time
from pathlib import Path
exec(sys.argv[1 + int(os.environ["RANK"])])
"""
SAVE_SLOWLY = """
def save(number, frame):
    time.sleep(2)
    Path("saved").touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
Path("ready 0").touch()
time.sleep(60)
"""
END_AT_ONCE = """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
Path("ready 1").touch()
time.sleep(60)
"""
WAIT = "time.sleep(60)"
DIE = "os.kill(os.getpid(), signal.SIGKILL)"
END_SLOWLY = 'time.sleep(2); Path("saved").touch(); sys.exit(1)'
COUNT = """
counted = [0]
def count(number, frame):
    counted[0] += 1
    Path(f"counted {counted[0]}").touch()
    if counted[0] == 2:
        sys.exit(143)
signal.signal(signal.SIGTERM, count)
Path("ready 0").touch()
while True:
    time.sleep(1)
"""
OUTLIVE = """
sys.path.remove(os.getcwd())
del sys.modules["snac_train"]  # the project's own comes next
from snac_train.distributed.launch import end_with_launcher
rank = os.environ["RANK"]
signal.signal(signal.SIGTERM, lambda *_: Path(f"ended {rank}").touch())
end_with_launcher()
Path(f"ready {rank}").touch()
time.sleep(5)
"""


def stand_ins(folder: Path, *ranks: str) -> subprocess.Popen:
    """Launch programs that do what they are told in place of training."""
    (folder / "snac_train").mkdir()
    (folder / "snac_train/__init__.py").touch()
    (folder / "snac_train/__main__.py").write_text(STAND_IN)
    return subprocess.Popen([sys.executable, "-c", LAUNCH, str(folder), *ranks])


def wait_for(*paths: Path) -> None:
    deadline = time.monotonic() + 10
    while not all(path.exists() for path in paths):
        assert time.monotonic() < deadline, paths
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_slow_save_is_waited_for(tmp_path: Path, number: signal.Signals) -> None:
    process = stand_ins(tmp_path, SAVE_SLOWLY, END_AT_ONCE)
    wait_for(tmp_path / "ready 0", tmp_path / "ready 1")
    process.send_signal(number)
    assert process.wait(20) == 143
    assert (tmp_path / "saved").exists()


def test_a_second_signal_goes_on_as_the_first_one_does(tmp_path: Path) -> None:
    process = stand_ins(tmp_path, COUNT, END_AT_ONCE)
    wait_for(tmp_path / "ready 0", tmp_path / "ready 1")
    process.send_signal(signal.SIGTERM)
    wait_for(tmp_path / "counted 1")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 143
    assert (tmp_path / "counted 2").exists()


def test_a_process_that_was_killed_ends_the_others_soon(tmp_path: Path) -> None:
    begun = time.monotonic()
    process = stand_ins(tmp_path, WAIT, DIE)
    assert process.wait(20) == 128 + signal.SIGKILL
    assert time.monotonic() - begun < 3


def test_one_that_failed_in_order_leaves_the_others_time_to_end(tmp_path: Path) -> None:
    process = stand_ins(tmp_path, END_SLOWLY, "sys.exit(1)")
    assert process.wait(20) == 1
    assert (tmp_path / "saved").exists()


def test_one_that_failed_ends_the_others_at_last(tmp_path: Path) -> None:
    begun = time.monotonic()
    process = stand_ins(tmp_path, WAIT, "sys.exit(1)")
    assert process.wait(20) == 1
    assert 4 < time.monotonic() - begun < 8


def test_what_outlives_the_launcher_is_asked_to_stop(tmp_path: Path) -> None:
    process = stand_ins(tmp_path, OUTLIVE, OUTLIVE)
    wait_for(tmp_path / "ready 0", tmp_path / "ready 1")
    process.kill()
    wait_for(tmp_path / "ended 0", tmp_path / "ended 1")


@pytest.mark.campaign
def test_training_processes_stop_together(voices: Path, tmp_path: Path) -> None:
    longer = ["--set", "curriculum.epochs=500", "--set", "curriculum.epoch_ranges=1-2,3-500"]
    words = [str(word) for word in arguments(tmp_path, voices, *longer)]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-c", LAUNCH, os.curdir, *words], stderr=log)
    metrics = tmp_path / "runs/one/metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and '"train"' in metrics.read_text()):
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143, (tmp_path / "log").read_text()
    state = json.loads((tmp_path / "runs/one/run.json").read_text())
    assert (state["state"], state["processes"]) == ("stopped", 2)
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("given", "numbers", "names"),
    [
        (None, [0, 2], ["0", "2"]),
        (None, None, ["0"]),
        ("4,GPU-abc,MIG-d", [0, 1, 2], ["4", "GPU-abc", "MIG-d"]),
        ("4, 7", [1], ["7"]),
        ("4,7", None, ["4"]),
        ("", [1], ["1"]),
    ],
)
def test_gpus_are_counted_among_those_that_were_given(
    given: str | None, numbers: list[int] | None, names: list[str]
) -> None:
    environment = {} if given is None else {"CUDA_VISIBLE_DEVICES": given}
    assert visible_gpus(numbers, environment) == names
