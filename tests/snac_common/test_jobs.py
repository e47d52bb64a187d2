"""Long work says how it stands, whatever becomes of it, and only what it knows."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snac_common import jobs
from snac_common.detached import start_apart, wait_until_at_work
from snac_common.errors import Failure
from snac_common.hints import command_line
from snac_common.jobs import Job, find_jobs, recorded, state_file
from snac_common.run_names import no_such_run
from snac_common.tails import last_lines
from snac_common.tool import Terminated


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "codes"


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [
        (None, "finished", None),
        (KeyboardInterrupt(), "stopped", None),
        (Terminated(), "stopped", None),
        (Failure("the disk is full"), "failed", "the disk is full"),
    ],
)
def test_how_the_work_ended_is_how_it_stands(
    folder: Path, error: BaseException | None, state: str, message: str | None
) -> None:
    def work_on() -> None:
        with recorded("snac-cache", folder) as work:
            work.count(5)
            work.begin(total=20, done=10)
            work.count(3)
            assert Job.read(state_file(folder)).runs()
            if error:
                raise error

    if error:
        with pytest.raises(type(error)):
            work_on()
    else:
        work_on()
    (job,) = find_jobs(folder.parent)
    assert (job.state, job.message, job.done, job.total) == (state, message, 13, 20)
    assert job.seconds_left() is None


def test_one_that_is_refused_leaves_the_record_of_the_one_at_work(folder: Path) -> None:
    with recorded("snac-cache", folder) as work:
        work.begin(20, 0)
        before = state_file(folder).read_bytes()
        with pytest.raises(Failure, match="held"), recorded("snac-cache", folder):
            raise Failure("the folder is held")
        assert state_file(folder).read_bytes() == before


def test_one_whose_process_is_gone_is_dead(folder: Path) -> None:
    with subprocess.Popen(["sleep", "0"]) as process:
        pass
    write_job(folder, process.pid, 17)
    (job,) = find_jobs(folder.parent)
    assert (job.state, job.runs()) == ("dead", False)


def test_speed_and_time_left_are_of_the_last_minute(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter(range(0, 100_000, 10))
    monkeypatch.setattr(jobs.time, "monotonic", lambda: next(now))
    monkeypatch.setattr(jobs, "SECONDS_BETWEEN_WRITES", 0.0)
    with recorded("snac-cache", folder) as work:
        work.begin(total=1000, done=500)
        for _ in range(20):
            work.count(5)
        (job,) = find_jobs(folder.parent)
    assert job.per_second == pytest.approx(0.5)
    assert job.seconds_left() == pytest.approx(400 / 0.5)


@given(st.text() | st.dictionaries(st.text(max_size=5), st.integers() | st.text()).map(json.dumps))
def test_a_damaged_record_is_named_and_fatal_to_nothing(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("root") / "codes"
    folder.mkdir()
    state_file(folder).write_text(text)
    (job,) = find_jobs(folder.parent)
    assert job.state == "unknown"
    assert str(state_file(folder)) in str(job.message)


def test_what_ends_before_it_works_says_why(tmp_path: Path) -> None:
    log = tmp_path / "codes.log"
    process = start_apart("snac_common.no_such_module", [], log)
    with pytest.raises(Failure, match="snac-cache could not be started") as caught:
        wait_until_at_work(process, lambda: False, "snac-cache", log)
    assert "No module named" in str(caught.value)


def test_of_a_bar_in_a_log_its_last_state_is_shown(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("begun\n\r 1%\r 50%\r100%\ndone\n")
    assert last_lines(tmp_path / "log", 2) == ["100%", "done"]
    assert last_lines(tmp_path / "log", 0) == []
    assert last_lines(tmp_path / "none", 3) == []


def test_a_hint_can_be_pasted_into_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``uv run`` finds commands that the shell does not."""
    beside = Path(sys.executable).with_name("snac-status")
    monkeypatch.setenv("PATH", str(beside.parent))
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setenv("SNAC_ARTIFACTS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert command_line("snac-status", "--run", "sp ace") == "snac-status --run 'sp ace'"
    assert command_line("snac-status", root=tmp_path) == "snac-status"
    assert command_line("snac-status", root=tmp_path / "a b").endswith("/a b'")
    monkeypatch.setenv("UV", "/somewhere/uv")
    assert command_line("snac-status") == str(beside)
    monkeypatch.chdir(beside.parent.parent)
    assert command_line("snac-status") == "bin/snac-status"
    monkeypatch.delenv("UV")
    monkeypatch.setenv("PATH", "/usr/bin")
    assert command_line("snac-status") == "bin/snac-status"


def test_a_name_that_no_run_has_is_answered_with_those_that_there_are(tmp_path: Path) -> None:
    from snac_common.artifacts import Artifacts

    places = Artifacts(tmp_path)
    assert "Runs there: none yet" in str(no_such_run("first", places))
    for name in ("first", "second"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "recipe.toml").touch()
    said = str(no_such_run("frist", places))
    assert "there is no run frist" in said
    assert "Did you mean first? Runs there: first, second." in said


def write_job(folder: Path, pid: int, started: int | None, done: int = 10) -> None:
    """Write what a command leaves that a process does, or did."""
    folder.mkdir(parents=True, exist_ok=True)
    job = Job(
        "snac-cache",
        str(folder),
        "running",
        pid=pid,
        process_started=started,
        host=os.uname().nodename,
        updated=time.time(),
        done=done,
        total=20,
    )
    state_file(folder).write_text(json.dumps(jobs.asdict(job)))
