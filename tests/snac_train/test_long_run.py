"""A run that outlives the terminal, as a person has it: started, watched, stopped, gone on with."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from training import SMALL_RECIPE, manifest_of, small_recipe
from whole_runs import settings
from workplace import run, succeed

from snac_common.errors import Failure
from snac_train.commands.detach import check_and_start
from snac_train.run.run_lock import RunLock, lock_file
from snac_train.session.train import Request

LONG = SMALL_RECIPE | {"curriculum.epochs": "5000", "curriculum.epoch_ranges": "1-2,3-5000"}


class Place:
    """An artifact root, and the tools used in it."""

    def __init__(self, root: Path, codes: Path) -> None:
        self.root = root
        self.codes = codes
        self.run = root / "runs/one"

    def tool(self, name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        line = [str(ROOT / "tools" / name), *map(str, arguments), "--artifacts", str(self.root)]
        return subprocess.run(
            line, env=environment(), capture_output=True, text=True, check=False, timeout=120
        )

    def start(self, *options: object) -> subprocess.CompletedProcess[str]:
        return self.tool("train.sh", 12, *self.options(), *settings(LONG), *options)

    def go_on_from(self, checkpoint: str) -> None:
        """Resume from a folder that is named with neither --run nor --artifacts."""
        line = [sys.executable, "-m", "snac_train", "--resume", checkpoint, "--detach"]
        line += [str(word) for word in ("--codes", self.codes, "--device", "cpu")]
        done = subprocess.run(
            line, cwd=self.root, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr

    def options(self) -> list[object]:
        return ["--codes", self.codes, "--run", "one", "--device", "cpu"]

    def status(self) -> dict[str, Any]:
        shown = run("snac_train.cli.status", "--run", "one", "--json", "--artifacts", self.root)
        described: dict[str, Any] = json.loads(shown.stdout.splitlines()[0])
        return described

    def wait_for(self, wanted: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        while not wanted(status := self.status()):
            assert status["state"] == "running", (self.root / "runs/one.log").read_text()
            time.sleep(0.2)
        return status


def environment() -> dict[str, str]:
    """What the tools run in; they would install uv where there is none."""
    uv = os.environ.get("UV") or shutil.which("uv")
    if not uv:
        pytest.skip("uv is not on PATH; tools/test.sh brings it")
    return os.environ | {"PATH": f"{Path(uv).parent}:{os.environ['PATH']}"}


@pytest.fixture
def place(tmp_path: Path, voices: Path) -> Iterator[Place]:
    place = Place(tmp_path / "art", voices)
    yield place
    with suppress(FileNotFoundError, ProcessLookupError):
        state = json.loads((place.run / "run.json").read_text())
        if state["state"] == "running":
            os.kill(state["pid"], signal.SIGKILL)


def test_a_run_from_its_start_to_its_end(place: Place) -> None:
    started = place.start()
    assert started.returncode == 0, started.stderr
    assert "snac-status --run one" in started.stderr
    assert f"tail -f {place.root}/runs/one.log" in started.stderr
    pid = json.loads(started.stdout.splitlines()[-1])["pid"]
    assert lock_file(place.run).read_text() == f"{pid}\n"
    assert os.getsid(pid) == pid, "it would end with the terminal"

    seen = place.wait_for(lambda status: status["epoch"] and status["checkpoint"])
    assert (seen["pid"], seen["epochs"]) == (pid, 5000)
    assert seen["seconds_left"] > 0
    again = place.start("--resume")
    assert (again.returncode, "started already" in again.stderr) == (1, True)

    stopped = place.tool("stop.sh", "one")
    assert stopped.returncode == 0, stopped.stderr
    assert f"asking process {pid}" in stopped.stderr
    said = json.loads(stopped.stdout.splitlines()[-1])
    assert (said["state"], place.status()["state"]) == ("stopped", "stopped")
    assert said["checkpoint"].endswith(f"step-{said['step']:08d}")

    place.go_on_from(said["checkpoint"])
    resumed = place.wait_for(lambda status: status["step"] > said["step"])
    assert resumed["pid"] != pid
    os.kill(resumed["pid"], signal.SIGKILL)
    dead = place.wait_for(lambda status: status["state"] == "dead")

    fewer = ["--resume", "--allow-changed", "curriculum.epochs", "--epochs", dead["epoch"] + 1]
    succeed("snac_train.cli.train", *place.options(), "--artifacts", place.root, *fewer)
    end = place.status()
    assert (end["state"], end["step"]) == ("finished", end["steps"])
    assert end["epoch"] == end["epochs"] == dead["epoch"] + 1


def test_what_cannot_train_is_not_started(place: Place) -> None:
    refused = place.start("--codes", place.root)
    assert (refused.returncode, "FAIL  codes" in refused.stderr) == (1, True)
    assert not place.run.exists()


def test_what_ends_before_it_trains_says_why(voices: Path, tmp_path: Path) -> None:
    request = Request(voices, manifest_of(voices), tmp_path / "runs/one", "cpu")
    with pytest.raises(Failure, match="could not be started") as caught:
        check_and_start(["--epochs", "many"], small_recipe(), request, None)
    assert "or --resume to go on with a run" in str(caught.value)
    RunLock.take(request.run).release()


@pytest.mark.parametrize("arguments", [[], ["first"], ["--run", "first"]])
def test_a_start_needs_a_phase(arguments: list[str]) -> None:
    done = subprocess.run(
        [ROOT / "tools/train.sh", *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "usage: tools/train.sh PHASE" in done.stderr) == (2, True)
