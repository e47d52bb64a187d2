"""A disk that is full ends a run with a message that says so, and where."""

import re
from pathlib import Path

import killing
import pytest
from killing import Surroundings
from whole_runs import arguments
from workplace import run


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(500, marks=pytest.mark.campaign),
        pytest.param(2_500, marks=pytest.mark.campaign),
        5_000,
    ],
)
def test_a_full_disk_is_said_with_its_file_and_its_room(
    voices: Path, tmp_path: Path, size: int
) -> None:
    log = tmp_path / "log"
    words = arguments(tmp_path / "art", voices, "--set", "curriculum.epochs=2")
    assert run(killing.TRAIN, *words, "--preflight").exit_code == 0, "leaves only what it maps"
    full = Surroundings(largest_file=size)
    code = killing.run_command(killing.TRAIN, words, log=log, surroundings=full)
    said = log.read_text()
    assert code == 1, said
    assert "Traceback" not in said
    assert re.search(r"cannot write \S+/runs/one\S*: .* GB are free there", said), said
