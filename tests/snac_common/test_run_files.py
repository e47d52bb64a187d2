"""The small files of a run are read as they were written, or say what is wrong with them."""

import json
from pathlib import Path
from typing import Any

import pytest

from snac_common.errors import Failure
from snac_common.run_files import RunState, Score

STATE: dict[str, Any] = {"state": "running", "pid": 12, "process_started": 34, "host": "here"}
SCORE: dict[str, Any] = {"score": 1.5, "epoch": 2, "step": 40, "metrics": {"loss": 1.5}}


def test_a_state_reads_back(tmp_path: Path) -> None:
    state = RunState(**STATE, plan={"epochs": 3})
    state.write(tmp_path / "run.json")
    assert RunState.read(tmp_path / "run.json") == state
    assert json.loads((tmp_path / "run.json").read_text()) == STATE | {"plan": {"epochs": 3}}


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(STATE | {"mood": "good", "cache": None}))
    assert RunState.read(tmp_path / "run.json").fields() == STATE


def test_a_score_reads_back(tmp_path: Path) -> None:
    Score(**SCORE).write(tmp_path / "score.json")
    assert Score.read(tmp_path / "score.json") == Score(**SCORE)
    (tmp_path / "score.json").write_text(json.dumps(SCORE | {"score": 2}))
    assert Score.read(tmp_path / "score.json").score == 2


def without(table: dict[str, Any], name: str) -> str:
    return json.dumps({key: value for key, value in table.items() if key != name})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "1",
        "null",
        "{}",
        without(STATE, "state"),
        *(without(STATE, name) for name in ("pid", "process_started", "host")),
        json.dumps(STATE | {"pid": None}),
        json.dumps(STATE | {"plan": 3}),
        json.dumps(STATE | {"message": ["x"]}),
    ],
)
def test_a_damaged_state_says_which_file_and_what_to_do(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(Failure, match="remove the file") as caught:
        RunState.read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "[]", *(without(SCORE, name) for name in ("score", "epoch", "step")), '{"score": "1"}'],
)
def test_a_damaged_score_says_which_file_and_what_to_do(tmp_path: Path, text: str) -> None:
    path = tmp_path / "best" / "score.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(Failure, match="Remove the folder") as caught:
        Score.read(path)
    assert str(path) in str(caught.value)
