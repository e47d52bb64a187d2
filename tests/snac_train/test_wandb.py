"""W&B offline holds what metrics.jsonl holds, and goes on with the same run."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import killing
import pytest
from killing import Moment
from wandb_files import history
from whole_runs import arguments

from snac_eval.comparison.wandb_file import read_config

STEP = "snac_train.training.stage:Stage.step"


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)


def by_step(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what W&B shows of rows: one a step, the later one where a step was logged twice."""
    shown = {row["_step"]: row for row in rows}
    return [
        {name: value for name, value in shown[step].items() if not name.startswith("_")}
        for step in sorted(shown)
    ]


def expected(folder: Path) -> list[dict[str, Any]]:
    """Return the rows that the lines of metrics.jsonl make."""
    rows = []
    for line in map(json.loads, (folder / "metrics.jsonl").open()):
        prefix = "" if line["kind"] == "train" else f"{line['kind']}/"
        numbers = {prefix + name: value for name, value in line.items() if name != "kind"}
        numbers.pop(prefix + "stage", None)
        rows.append({**numbers, "samples_seen": line["samples_seen"]})
    return rows


SIZES = ("counts", "hours", "data")


def test_it_holds_the_numbers_of_the_metrics(voices: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    words = arguments(tmp_path, voices, "--wandb", "offline")
    moment = Moment("snac_train.training.stage:Stage.step", 5, number=signal.SIGTERM)
    assert killing.run(words, moment, log=log) == 143, log.read_text()
    assert killing.run([*words, "--resume"], log=log) == 0, log.read_text()
    folder = tmp_path / "runs/one"
    rows = history(folder)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").open()]
    assert len(rows) == len(lines)
    for row, line in zip(rows, lines, strict=True):
        prefix = "" if line["kind"] == "train" else f"{line['kind']}/"
        numbers = {prefix + name: value for name, value in line.items() if name != "kind"}
        numbers.pop(prefix + "stage", None)
        logged = {name: value for name, value in row.items() if not name.startswith("_")}
        assert logged == {**numbers, "samples_seen": line["samples_seen"]}
    files = sorted(folder.glob("wandb/offline-run-*/*.wandb"))
    assert len({file.name for file in files}) == 1  # two processes, one W&B run
    run = json.loads((folder / "run.json").read_text())
    config = read_config(files[0])
    assert config["run"] == {name: run[name] for name in ("base", "base_sha256", "cache", *SIZES)}
    assert config["data"]["codes"] == "cached"


OFTEN = ("--set", "tracking.log_every=1", "--set", "checkpoint.every_steps=0")


@pytest.fixture(scope="module")
def stopped(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a run that was stopped after step 7, and goes on from epoch 2's end, step 6."""
    root = tmp_path_factory.mktemp("stopped")
    words = arguments(root, voices, "--wandb", "offline", *OFTEN)
    stop = Moment(STEP, 7, number=signal.SIGTERM)
    assert killing.run(words, stop, log=root / "log") == 143, (root / "log").read_text()
    shutil.rmtree(root / "runs/one/checkpoints/step-00000007")
    return root


@pytest.fixture
def without_newest(stopped: Path, voices: Path, tmp_path: Path) -> list[object]:
    """Arguments of a copy of that run."""
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True, symlinks=True)
    return arguments(tmp_path, voices, "--wandb", "offline", *OFTEN)


def test_steps_that_are_taken_again_are_the_same_steps_there(
    without_newest: list[object], tmp_path: Path
) -> None:
    log, folder = tmp_path / "log", tmp_path / "runs/one"
    assert killing.run([*without_newest, "--resume"], log=log) == 0, log.read_text()
    rows = history(folder)
    assert len(rows) == len(expected(folder)) + 2  # the validation after step 6, and step 7
    assert by_step(rows) == expected(folder)


@pytest.mark.campaign
def test_another_course_is_another_run_there(without_newest: list[object], tmp_path: Path) -> None:
    log, folder = tmp_path / "log", tmp_path / "runs/one"
    first = json.loads((folder / "run.json").read_text())["wandb_id"]
    other = ("--set", "optimizer.clip=0.5", "--allow-changed", "optimizer")
    assert killing.run([*without_newest, "--resume", *other], log=log) == 0, log.read_text()
    second = json.loads((folder / "run.json").read_text())["wandb_id"]
    assert first != second
    assert by_step(history(folder, second)) == expected(folder)
