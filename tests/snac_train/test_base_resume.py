"""A codec from nothing: killed anywhere and resumed, the run is the uninterrupted one."""

import json
import signal
from pathlib import Path
from typing import Any

import killing
import pytest
from killing import Moment
from whole_runs import base_arguments, result, settings

STEP = "snac_train.training.stage:Stage.step"
CODEBOOKS = "snac_train.training.codebooks"

CHANGE = f"{CODEBOOKS}:CodebookKeeper._change"
MOMENTS = {  # the calls are those of one process
    "in warm-up": Moment(STEP, 3),
    "right after the fill": Moment(CHANGE, 1),
    "right after a revival": Moment(CHANGE, 2),
}
NO_WARM_UP = settings(
    {
        "curriculum.warmup_epochs": "0",
        "curriculum.epochs": "2",
        "curriculum.epoch_ranges": "1-1,2-2",
        "tracking.log_every": "1",
    }
)


@pytest.fixture(scope="module")
def uninterrupted(
    voices: Path, architecture: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    return finished(tmp_path_factory.mktemp("whole"), voices, architecture)


def finished(root: Path, voices: Path, architecture: Path, *more: object) -> dict[str, Any]:
    arguments = base_arguments(root, voices, architecture, *more)
    assert killing.run(arguments, log=root / "log") == 0, (root / "log").read_text()
    return result(root)


@pytest.mark.campaign
def test_a_run_that_is_killed_again_and_again_ends_as_if_it_had_not_been(
    voices: Path, architecture: Path, tmp_path: Path, uninterrupted: dict[str, Any]
) -> None:
    arguments = base_arguments(tmp_path, voices, architecture)
    for name, moment in MOMENTS.items():
        assert killing.run(arguments, moment, log=tmp_path / "log") == -signal.SIGKILL, name
        arguments = base_arguments(tmp_path, voices, architecture, "--resume")
    assert finished(tmp_path, voices, architecture, "--resume") == uninterrupted


@pytest.mark.campaign
def test_a_run_that_is_stopped_between_epochs_ends_as_if_it_had_not_been(
    voices: Path, architecture: Path, tmp_path: Path, uninterrupted: dict[str, Any]
) -> None:
    """It stops after codebooks were filled and before a step was taken."""
    moment = Moment(CHANGE, 1, False, signal.SIGTERM)
    arguments = base_arguments(tmp_path, voices, architecture)
    assert killing.run(arguments, moment, log=tmp_path / "log") == 143
    assert json.loads((tmp_path / "runs/one/run.json").read_text())["step"] == 4
    assert finished(tmp_path, voices, architecture, "--resume") == uninterrupted


@pytest.fixture(scope="module")
def alone(
    voices: Path, architecture: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """A run of one process whose codebooks are filled before the first step."""
    return finished(tmp_path_factory.mktemp("alone"), voices, architecture, *NO_WARM_UP)


@pytest.mark.campaign
def test_a_run_without_warm_up_that_is_stopped_before_its_first_step(
    voices: Path, architecture: Path, tmp_path: Path, alone: dict[str, Any]
) -> None:
    moment = Moment(CHANGE, 1, number=signal.SIGTERM)
    arguments = base_arguments(tmp_path, voices, architecture, *NO_WARM_UP)
    assert killing.run(arguments, moment, log=tmp_path / "log") == 143
    assert finished(tmp_path, voices, architecture, *NO_WARM_UP, "--resume") == alone


@pytest.fixture(scope="module")
def two(voices: Path, architecture: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes whose codebooks are filled before the first step."""
    root = tmp_path_factory.mktemp("two")
    arguments = base_arguments(root, voices, architecture, *NO_WARM_UP)
    assert killing.run_two(arguments, log=root / "log") == [0, 0], (root / "log").read_text()
    return root


@pytest.mark.campaign
def test_two_processes_begin_with_the_codebooks_of_one(alone: dict[str, Any], two: Path) -> None:
    own, shared = alone["metrics"], result(two)["metrics"]
    assert [line["step"] for line in own] == [line["step"] for line in shared]
    assert (own[1]["kind"], own[1]["step"]) == ("train", 1)
    first = {name: value for name, value in own[1].items() if isinstance(value, float)}
    assert first == pytest.approx(
        {name: shared[1][name] for name in first}, rel=1e-3
    )  # the order of adding


@pytest.mark.campaign
def test_two_processes_that_are_killed_after_a_fill_resume_exactly(
    voices: Path, architecture: Path, two: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    arguments = base_arguments(tmp_path, voices, architecture, *NO_WARM_UP)
    moment = Moment(CHANGE, 2)
    killed, other = killing.run_two(arguments, moment, log=log)
    assert killed == -signal.SIGKILL
    assert other in (-signal.SIGKILL, 1)  # 1 where it sees first that the other one is gone
    assert killing.run_two([*arguments, "--resume"], log=log) == [0, 0], log.read_text()
    assert result(tmp_path) == result(two)
