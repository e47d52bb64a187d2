"""One process at a time trains in a run's folder, and no other one changes what it says."""

import errno
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import killing
import pytest
from killing import Moment
from training import small_recipe
from whole_runs import arguments

from snac_common.errors import Failure
from snac_common.run_files import RunState
from snac_train.run import heartbeat
from snac_train.run.run_folder import RunFolder, is_running


def begun(path: Path) -> RunFolder:
    """Return a run that is being trained by this process."""
    folder = RunFolder(path)
    folder.create()
    folder.write_recipe(small_recipe().to_toml())
    return folder


def test_a_run_is_begun_once(tmp_path: Path) -> None:
    first = RunFolder(tmp_path / "one")
    first.create()
    with pytest.raises(Failure, match=rf"started already \(process {os.getpid()}"):
        RunFolder(tmp_path / "one").create()
    first.release()
    RunFolder(tmp_path / "one").create()


def test_a_run_is_resumed_once(tmp_path: Path) -> None:
    begun(tmp_path / "one").release()
    first, second = RunFolder(tmp_path / "one"), RunFolder(tmp_path / "one")
    first.reopen()
    with pytest.raises(Failure, match="snac-stop one"):
        second.reopen()
    first.end("stopped")
    second.reopen()


def test_what_could_not_be_begun_holds_nothing(tmp_path: Path) -> None:
    folder = begun(tmp_path / "one")
    folder.release()
    refused = RunFolder(tmp_path / "one")
    with pytest.raises(Failure, match="never overwritten"):
        refused.create()
    folder.reopen()


def test_children_do_not_hold_the_lock_on(tmp_path: Path) -> None:
    folder = begun(tmp_path / "one")
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writes, b"forked")
        time.sleep(30)
        os._exit(0)
    os.read(reads, 6)
    folder.release()
    try:
        RunFolder(tmp_path / "one").reopen()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_where_there_are_no_locks_a_run_goes_on_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    RunFolder(tmp_path / "one").create()
    assert "cannot be locked" in capsys.readouterr().err


def test_of_two_that_resume_at_once_one_trains(voices: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    killed = Moment("snac_train.training.stage:Stage.step", 3)
    assert killing.run(arguments(tmp_path, voices), killed, log=log) == -signal.SIGKILL
    resumed = arguments(tmp_path, voices, "--resume")
    opened = Moment("snac_train.run.run_folder:RunFolder.reopen", 1, number=signal.SIGSTOP)
    with stopping(resumed, opened, log) as first:
        state = (tmp_path / "runs/one/run.json").read_bytes()
        assert killing.run(resumed, log=tmp_path / "second") == 1
        assert "started already" in (tmp_path / "second").read_text()
        assert (tmp_path / "runs/one/run.json").read_bytes() == state
        assert first.pid is not None
        os.kill(first.pid, signal.SIGCONT)
        first.join()
        assert first.exitcode == 0, log.read_text()
    assert json.loads((tmp_path / "runs/one/run.json").read_text())["state"] == "finished"


def test_one_that_is_refused_leaves_the_running_one_running(voices: Path, tmp_path: Path) -> None:
    step = Moment("snac_train.training.stage:Stage.step", 3, number=signal.SIGSTOP)
    with stopping(arguments(tmp_path, voices), step, tmp_path / "log"):
        assert killing.run(arguments(tmp_path, voices, "--resume"), log=tmp_path / "second") == 1
        assert json.loads((tmp_path / "runs/one/run.json").read_text())["state"] == "running"
        assert "failed" not in (tmp_path / "runs/one/train.log").read_text()


def test_a_run_that_was_killed_and_cannot_go_on_has_not_failed(tmp_path: Path) -> None:
    folder = begun(tmp_path / "one")
    folder.update(state="running", pid=1, process_started=-1, host=os.uname().nodename)
    folder.release()
    resumed = RunFolder(tmp_path / "one")
    resumed.reopen()
    assert resumed.state["state"] == "dead", "until this process itself trains"


@pytest.mark.parametrize("leftover", ["", ".recipe.toml-abcd1234.partial"])
def test_what_was_killed_before_its_recipe_was_whole_can_be_begun_again(
    tmp_path: Path, leftover: str
) -> None:
    (tmp_path / "one").mkdir()
    if leftover:
        (tmp_path / "one" / leftover).write_text("half a reci")
    RunFolder(tmp_path / "one").create()
    assert [path.name for path in (tmp_path / "one").iterdir()] == [heartbeat.NAME]


@pytest.mark.parametrize("name", ["recipe.toml", "metrics.jsonl", "notes.txt"])
def test_what_is_anything_else_is_in_the_way(tmp_path: Path, name: str) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / name).touch()
    with pytest.raises(Failure, match="never overwritten"):
        RunFolder(tmp_path / "one").create()


@contextmanager
def stopping(words: list[object], moment: Moment, log: Path) -> Iterator[ForkServerProcess]:
    """Train in another process, which has stopped at the moment; kill it at the end."""
    process = killing.start(killing.TRAIN, words, moment, log=log)
    try:
        deadline = time.monotonic() + 60
        while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.join()


def trained_elsewhere(path: Path) -> None:
    """Leave a run as a machine does that is gone: running, it says."""
    folder = begun(path)
    folder.update(state="running", pid=os.getpid(), process_started=1, host="elsewhere")
    folder.release()


def test_a_run_whose_machine_was_lost_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "GONE_AFTER_S", 0.2)
    trained_elsewhere(tmp_path / "one")
    folder = RunFolder(tmp_path / "one")
    folder.reopen()
    assert folder.state["state"] == "dead"


def test_a_run_that_another_machine_trains_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "EVERY_S", 0.05)
    trained_elsewhere(tmp_path / "one")
    other = heartbeat.Heartbeat(tmp_path / "one")
    with pytest.raises(Failure, match="elsewhere is training in"):
        RunFolder(tmp_path / "one").reopen()
    other.stop()


def test_a_long_step_on_another_machine_is_no_death(tmp_path: Path) -> None:
    trained_elsewhere(tmp_path / "one")
    state = RunState.read(tmp_path / "one/run.json")
    for path in (tmp_path / "one").iterdir():
        os.utime(path, (1, 1))
    assert not is_running(tmp_path / "one", state)
    os.utime(tmp_path / "one" / heartbeat.NAME)
    assert is_running(tmp_path / "one", state)
