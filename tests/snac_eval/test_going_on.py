"""An evaluation that is stopped goes on where it was, and gives the files of one that was not."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import killing
import pytest
from evaluation import Workplace
from killing import Moment
from workplace import snapshot

from snac_cache.work.lock import working_in
from snac_eval.measuring.measure_utterance import UtteranceMeasurer

FILES = ("metrics.parquet", "summary.json", "report.html")
COMMAND = "snac_eval.cli.evaluate"


@pytest.fixture(scope="module")
def model(workplace: Workplace) -> Path:
    return workplace.save_model("stopped", lambda model: None)


@pytest.fixture(scope="module")
def whole(workplace: Workplace, model: Path) -> dict[str, bytes]:
    """What an evaluation that nobody stopped leaves."""
    return snapshot(workplace.evaluate(model, "--name", "whole", "--samples", 1))


def unfinished(workplace: Workplace, name: str) -> Path:
    return workplace.root / "eval" / f".{name}.unfinished"


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Stop the measuring before its fourth utterance; return which were measured since."""
    measured: list[int] = []
    measure = UtteranceMeasurer.measure

    def stopping(self: UtteranceMeasurer, index: int) -> Any:
        measured.append(index)
        if len(measured) == 4:
            raise KeyboardInterrupt
        return measure(self, index)

    monkeypatch.setattr(UtteranceMeasurer, "measure", stopping)
    return measured


def test_what_was_measured_is_not_measured_again(
    workplace: Workplace, model: Path, whole: dict[str, bytes], counted: list[int]
) -> None:
    stopped = workplace.run(model, "--name", "stopped-once", "--samples", 1)
    assert stopped.exit_code == 130
    assert not (workplace.root / "eval" / "stopped-once").exists()
    folder = workplace.evaluate(model, "--name", "stopped-once", "--samples", 1)
    assert counted[4:] == [2, 3], "the first part was there"
    assert snapshot(folder) == whole
    assert not unfinished(workplace, "stopped-once").exists()


@pytest.mark.campaign
def test_a_damaged_part_and_one_of_other_settings_are_measured_again(
    workplace: Workplace, model: Path, whole: dict[str, bytes], counted: list[int]
) -> None:
    workplace.run(model, "--name", "torn", "--samples", 1, "--seed", 9)
    (part,) = unfinished(workplace, "torn").glob("part-*.parquet")
    content = bytearray(part.read_bytes())
    folder = workplace.evaluate(model, "--name", "torn", "--samples", 1)
    assert counted[4:] == [0, 1, 2, 3]
    assert snapshot(folder) == whole
    counted[:] = [0]
    workplace.run(model, "--name", "torn", "--samples", 1, "--seed", 9)
    content[len(content) // 3] ^= 0x10
    part.write_bytes(content)
    workplace.evaluate(model, "--name", "torn", "--seed", 9)
    assert counted[4:] == [0, 1, 2, 3]


def test_audio_written_meanwhile_is_measured_again(
    workplace: Workplace, model: Path, counted: list[int]
) -> None:
    workplace.run(model, "--name", "late")
    os.utime(workplace.root / "audio" / "utterance 1.wav")
    workplace.evaluate(model, "--name", "late")
    assert counted[4:] == [0, 1, 2, 3]


def arguments(workplace: Workplace, model: Path, name: str, *options: object) -> list[object]:
    place = ("--artifacts", workplace.root, "--device", "cpu", "--samples", 1)
    return [model, *place, "--name", name, *options]


def test_killed_while_it_writes_the_earlier_results_stay_whole(
    workplace: Workplace, model: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    before = snapshot(workplace.evaluate(model, "--name", "kept", "--samples", 1, "--seed", 5))
    again = arguments(workplace, model, "kept", "--workers", 1)
    for moment in (
        Moment("snac_eval.evaluation.publish:write_summary", 1),
        Moment("snac_eval.evaluation.publish:write_report", 1),
    ):
        code = killing.run_command(COMMAND, again, moment, log=tmp_path / "log")
        assert code == -signal.SIGKILL
        assert snapshot(workplace.root / "eval" / "kept") == before
    assert killing.run_command(COMMAND, again, log=tmp_path / "log") == 0
    assert "4 of 4 utterances are measured already" in (tmp_path / "log").read_text()
    assert snapshot(workplace.root / "eval" / "kept") == whole


def test_a_killed_command_leaves_no_worker(
    workplace: Workplace, model: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    two = arguments(workplace, model, "orphans", "--workers", 2)
    command = killing.start(COMMAND, two, log=tmp_path / "log")
    try:
        wait_until(lambda: len(killing.workers(command)) == 2 or not command.is_alive())
        begun = killing.workers(command)
        assert len(begun) == 2, (tmp_path / "log").read_text()
    finally:
        command.kill()
        command.join()
    wait_until(lambda: not any(map(is_running, begun)))
    assert killing.run_command(COMMAND, two, log=tmp_path / "log") == 0
    assert snapshot(workplace.root / "eval" / "orphans") == whole


def wait_until(happened: Any) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_two_at_once_in_one_folder_are_refused(workplace: Workplace, model: Path) -> None:
    with working_in(unfinished(workplace, "busy"), "another"):
        result = workplace.run(model, "--name", "busy")
    assert (result.exit_code, "another command is at work" in result.stderr) == (1, True)
