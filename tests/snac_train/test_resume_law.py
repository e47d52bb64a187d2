"""Kill it anywhere, resume it, and the result is the uninterrupted run's, bit for bit."""

import json
import signal
from pathlib import Path
from typing import Any

import killing
import pytest
from killing import Moment
from whole_runs import arguments, result

VALIDATIONS = 3 * 2  # batches of a validation, and of the baseline's two passes

VALIDATION = "snac_train.training.validation:Validator._go_on_together"
CHECKPOINT = "snac_train.run.checkpoints.checkpoint"

MOMENTS = {
    "before any checkpoint": Moment(VALIDATION, 2),
    "in warm-up": Moment("snac_train.training.stage:Stage.step", 3),
    "in main": Moment("snac_train.training.stage:Stage.step", 5),
    "at the change of segments": Moment("snac_train.training.stage:Stage.step", 7, after=False),
    "after the change": Moment("snac_train.training.stage:Stage.step", 8),
    "in a validation": Moment(VALIDATION, VALIDATIONS + 5),
    "with a checkpoint's weights half written": Moment(f"{CHECKPOINT}:save_file", 4),
    "before a checkpoint's manifest": Moment(f"{CHECKPOINT}:_write_manifest", 4, False),
    "before a checkpoint's name": Moment(f"{CHECKPOINT}:_write_manifest", 5),
    "between a best model and its score": Moment("snac_train.run.best_models:save", 4),
}


@pytest.fixture(scope="module")
def uninterrupted(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("whole")
    assert killing.run(arguments(root, voices), log=root / "log") == 0, (root / "log").read_text()
    whole = result(root)
    assert len(whole["files"]) == 3 * 3 + 3
    return whole


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_a_run_that_is_killed_ends_as_if_it_had_not_been(
    voices: Path, tmp_path: Path, uninterrupted: dict[str, Any], moment: Moment
) -> None:
    log = tmp_path / "log"
    assert killing.run(arguments(tmp_path, voices), moment, log=log) == -signal.SIGKILL
    resumed = killing.run(arguments(tmp_path, voices, "--resume"), log=log)
    assert resumed == 0, log.read_text()
    assert result(tmp_path) == uninterrupted


def test_a_run_may_be_killed_again_and_again(
    voices: Path, tmp_path: Path, uninterrupted: dict[str, Any]
) -> None:
    log = tmp_path / "log"
    more: list[object] = []
    for _ in range(4):
        moment = Moment("snac_train.training.stage:Stage.step", 3)
        assert killing.run(arguments(tmp_path, voices, *more), moment, log=log) == -signal.SIGKILL
        more = ["--resume"]
    assert killing.run(arguments(tmp_path, voices, "--resume"), log=log) == 0, log.read_text()
    assert result(tmp_path) == uninterrupted


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGUSR1, 0)]
)
def test_signals_save_at_the_next_step(
    voices: Path, tmp_path: Path, uninterrupted: dict[str, Any], number: int, code: int
) -> None:
    log = tmp_path / "log"
    moment = Moment("snac_train.training.stage:Stage.step", 5, number=number)
    assert killing.run(arguments(tmp_path, voices), moment, log=log) == code, log.read_text()
    assert "step-00000005" in log.read_text()
    if code:
        state = json.loads((tmp_path / "runs/one/run.json").read_text())
        assert state["state"] == "stopped"
        assert killing.run(arguments(tmp_path, voices, "--resume"), log=log) == 0
        assert "after step 5" in log.read_text()
    assert result(tmp_path) == uninterrupted


def test_a_signal_in_a_validation_stops_at_once(
    voices: Path, tmp_path: Path, uninterrupted: dict[str, Any]
) -> None:
    log = tmp_path / "log"
    function, call = VALIDATION, VALIDATIONS + 2
    moment = Moment(function, call, number=signal.SIGTERM)
    assert killing.run(arguments(tmp_path, voices), moment, log=log) == 143
    assert {line["kind"] for line in result(tmp_path)["metrics"]} == {"baseline", "train"}
    assert killing.run(arguments(tmp_path, voices, "--resume"), log=log) == 0, log.read_text()
    assert result(tmp_path) == uninterrupted
