"""Two processes share every batch, and come to what one comes to."""

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import killing
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from killing import Moment
from training import make_cache, write_voice
from whole_runs import arguments, result, settings

from snac_train.data.slices import micro_batches


@given(
    batch=st.lists(st.integers(0, 99), min_size=1, max_size=40, unique=True),
    count=st.integers(1, 9),
    pieces=st.integers(1, 5),
)
def test_processes_and_pieces_have_each_item_of_a_batch_once(
    batch: list[int], count: int, pieces: int
) -> None:
    shares = [micro_batches(np.array(batch), number, count, pieces) for number in range(count)]
    counted = [piece for share in shares for piece in share if piece.counted]
    assert sorted(item for piece in counted for item in piece.positions) == sorted(batch)
    for share in shares:
        assert 1 <= len(share) <= pieces
        assert all(len(piece.positions) for piece in share)
    assert all(set(piece.positions) <= set(batch) for share in shares for piece in share)


@pytest.fixture(scope="module")
def root(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes, whose last batch of an epoch leaves one of them without an item."""
    root = tmp_path_factory.mktemp("two")
    codes = killing.run_two(arguments(root, voices, *ODD), log=root / "log")
    assert codes == [0, 0], (root / "log").read_text()
    return root


ODD = settings(
    {
        "data.limit": "5",  # batches of 2, 2, 1 and 3, 2
        "optimizer.accumulate": "2",
        "optimizer.warmup_lr": "2e-4",  # at larger rates ten steps make much of the last bits
        "optimizer.main_lr": "2e-4",
    }
)


def test_the_losses_are_those_of_one_process(voices: Path, root: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    assert killing.run(arguments(alone, voices, *ODD), log=alone / "log") == 0
    for one, two in zip(result(alone)["metrics"], result(root)["metrics"], strict=True):
        assert one.keys() == two.keys()
        numbers = {name: value for name, value in one.items() if isinstance(value, float)}
        assert numbers == pytest.approx({name: two[name] for name in numbers}, rel=1e-5)
        for name in one.keys() - numbers.keys():
            assert one[name] == two[name]


@pytest.mark.campaign
def test_killed_processes_resume_exactly(voices: Path, root: Path, tmp_path: Path) -> None:
    log, line = tmp_path / "log", arguments(tmp_path, voices, *ODD)
    for call in (2, 6):  # in warm-up, and in main
        moment = Moment("snac_train.training.stage:Stage.step", call)
        codes = killing.run_two(line, moment, log=log)
        assert codes[0] == -signal.SIGKILL
        assert codes[1] in (-signal.SIGKILL, 1), "killed too, or it sees that the other is gone"
        line = arguments(tmp_path, voices, *ODD, "--resume")
    codes = killing.run_two(line, log=log)
    assert codes == [0, 0], log.read_text()
    assert result(tmp_path) == result(root)


def test_a_signal_to_one_process_stops_both(voices: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    moment = Moment("snac_train.training.stage:Stage.step", 3, number=signal.SIGTERM)
    assert killing.run_two(arguments(tmp_path, voices), moment, log=log) == [143, 143]
    assert state(tmp_path)["state"] == "stopped"


def test_what_one_process_cannot_read_stops_both(small_codec: Path, tmp_path: Path) -> None:
    for number in range(2):
        write_voice(tmp_path / f"in/train/{number}.wav", 0.4, number)
    write_voice(tmp_path / "in/val/0.wav", 0.4, 9)
    codes = make_cache(tmp_path / "in", tmp_path, small_codec)
    (tmp_path / "in/train/1.wav").unlink()
    log = tmp_path / "log"
    assert killing.run_two(arguments(tmp_path, codes), log=log) == [1, 1], log.read_text()
    assert state(tmp_path)["state"] == "failed"
    assert "'in/train/1'" in state(tmp_path)["message"]
    assert "Traceback" not in log.read_text()


def test_a_damaged_checkpoint_that_was_asked_for_stops_both(
    voices: Path, root: Path, tmp_path: Path
) -> None:
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    newest = max(tmp_path.glob("runs/one/checkpoints/step-*"))
    (newest / "state.json").write_text("{}")
    log = tmp_path / "resumed"
    codes = killing.run_two(arguments(tmp_path, voices, *ODD, "--resume", newest), log=log)
    assert codes == [1, 1], log.read_text()
    assert log.read_text().count("state.json has 2 bytes") == 2
    assert "Traceback" not in log.read_text()


def test_a_finished_run_is_resumed_by_both(voices: Path, root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    log = tmp_path / "resumed"
    codes = killing.run_two(arguments(tmp_path, voices, *ODD, "--resume"), log=log)
    assert codes == [0, 0], log.read_text()
    assert result(tmp_path) == result(root)


def run_with_a_pause(
    root: Path, line: list[object], moment: str, *, told: int | None = None
) -> list[int | None]:
    """Run two processes, the first of which halts for a while before it calls a function.

    Args:
        told: a signal that both get as soon as they train.
    """
    halt = Moment(moment, 1, after=False, number=signal.SIGSTOP)
    first, second = killing.start_two(line, halt, log=root / "log")
    if told:
        while '"train"' not in lines_of(root) and first.exitcode is None:
            time.sleep(0.05)
        for process in (first, second):
            os.kill(int(process.pid or 0), told)
    killing.wait_until_stopped(first)
    second.join(4)
    assert second.exitcode is None, "it did not wait for the first"
    os.kill(int(first.pid or 0), signal.SIGCONT)
    first.join()
    second.join()
    return [first.exitcode, second.exitcode]


def lines_of(root: Path) -> str:
    path = root / "runs/one/metrics.jsonl"
    return path.read_text() if path.exists() else ""


def test_all_measure_the_best_model_that_was_written(voices: Path, tmp_path: Path) -> None:
    """The end of a run of one epoch does not race the writer of its best model."""
    short = {"curriculum.epochs": "1", "curriculum.epoch_ranges": "1"}
    short |= {"curriculum.segment_s": "0.2", "curriculum.batch_multiplier": "1"}
    short["validation.curriculum"] = "true"
    line = arguments(tmp_path, voices, *settings(short))
    codes = run_with_a_pause(tmp_path, line, "snac_train.run.best_models:save")
    assert codes == [0, 0], (tmp_path / "log").read_text()
    assert state(tmp_path)["after"].keys() == {"0.2"}


def test_nobody_leaves_while_the_main_process_saves(voices: Path, tmp_path: Path) -> None:
    long = settings({"curriculum.epochs": "50", "curriculum.epoch_ranges": "1-2,3-50"})
    never = settings({"checkpoint.every_steps": "0", "tracking.log_every": "1"})
    never += settings({"curriculum.batch_size": "1"})  # so that an epoch is not soon over
    moment = "snac_train.run.checkpoints.checkpoint:_write_manifest"
    line = arguments(tmp_path, voices, *long, *never)
    codes = run_with_a_pause(tmp_path, line, moment, told=signal.SIGTERM)
    assert codes == [143, 143], (tmp_path / "log").read_text()
    assert state(tmp_path)["state"] == "stopped"
    assert len(list(tmp_path.glob("runs/one/checkpoints/step-*"))) == 1


def state(root: Path) -> dict[str, Any]:
    return json.loads((root / "runs/one/run.json").read_text())
