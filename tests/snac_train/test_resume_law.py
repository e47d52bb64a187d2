"""Kill it anywhere, resume it, and the result is the uninterrupted run's, bit for bit."""

import json
import signal
from pathlib import Path
from typing import Any

import killing
import pytest
from killing import Moment
from whole_runs import arguments, result

VALIDATIONS = 2 * 2  # batches of a validation, and of the baseline's two passes

VALIDATION = "snac_train.training.validation:Validator._go_on_together"
CHECKPOINT = "snac_train.run.checkpoints.checkpoint"
STEP = "snac_train.training.stage:Stage.step"

# The calls are those of one process: after the checkpoint that it goes on from.
MOMENTS = {
    "in a step, with a checkpoint's weights half written, between a best model and its score": [
        Moment(STEP, 3),
        Moment(f"{CHECKPOINT}:save_file", 4),
        Moment("snac_train.run.best_models:save", 4),
    ],
}
MORE_MOMENTS = {
    "in steps: in warm-up, in main, at the change of segments and after it": [
        Moment(STEP, 3),
        Moment(STEP, 3),
        Moment(STEP, 3, after=False),
        Moment(STEP, 3),
    ],
    "before any checkpoint, in a validation": [
        Moment(VALIDATION, 2),
        Moment(VALIDATION, VALIDATIONS + 5),
    ],
    "before a checkpoint's manifest, before its name": [
        Moment(f"{CHECKPOINT}:_write_manifest", 1, False),
        Moment(f"{CHECKPOINT}:_write_manifest", 1),
    ],
}


@pytest.fixture(scope="module")
def uninterrupted(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("whole")
    assert killing.run(arguments(root, voices), log=root / "log") == 0, (root / "log").read_text()
    whole = result(root)
    assert len(whole["files"]) == 3 * 3 + 3
    return whole


@pytest.mark.parametrize(
    "moments",
    [pytest.param(moments, id=name) for name, moments in MOMENTS.items()]
    + [
        pytest.param(moments, id=name, marks=pytest.mark.campaign)
        for name, moments in MORE_MOMENTS.items()
    ],
)
def test_a_run_that_is_killed_again_and_again_ends_as_if_it_had_not_been(
    voices: Path, tmp_path: Path, uninterrupted: dict[str, Any], moments: list[Moment]
) -> None:
    log = tmp_path / "log"
    more: list[object] = []
    for moment in moments:
        assert killing.run(arguments(tmp_path, voices, *more), moment, log=log) == -signal.SIGKILL
        more = ["--resume"]
    assert killing.run(arguments(tmp_path, voices, *more), log=log) == 0, log.read_text()
    assert result(tmp_path) == uninterrupted


@pytest.mark.parametrize(
    ("number", "code"),
    [pytest.param(signal.SIGTERM, 143, marks=pytest.mark.campaign), (signal.SIGUSR1, 0)],
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
    function, call = VALIDATION, VALIDATIONS + 1
    moment = Moment(function, call, number=signal.SIGTERM)
    assert killing.run(arguments(tmp_path, voices), moment, log=log) == 143
    assert {line["kind"] for line in result(tmp_path)["metrics"]} == {"baseline", "train"}
    assert killing.run(arguments(tmp_path, voices, "--resume"), log=log) == 0, log.read_text()
    assert result(tmp_path) == uninterrupted
