"""What is said of runs: right, whatever the files hold, at once, and within the terminal."""

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from workplace import last_line, on_a_terminal, run, succeed

from snac_common.artifacts import METRICS, STATE, Artifacts
from snac_common.processes import GENTLY, end_process, process_started
from snac_train.commands import stop
from snac_train.commands.status import find_runs, log_tail, read_status
from snac_train.commands.status_table import duration, write_details, write_runs
from snac_train.run.run_folder import RunFolder

TRAIN = {"kind": "train", "step": 40, "epoch": 2, "samples_seen": 400, "stage": "main"}
TRAIN |= {"loss": 1.25, "samples_per_s": 20.0, "gpu_memory_gb": 31.5}
VAL = {"kind": "val", "step": 50, "epoch": 2, "samples_seen": 500, "stage": "main", "loss": 1.5}
LOSSES = {"loss": 1.5, "24k/loss": 1.0, "24k/l1": 0.1, "48k/loss": 1.2}


def write_run(path: Path, state: str = "running", pid: int | None = None) -> RunFolder:
    """Write what a run of this very process, or of another, writes."""
    folder = RunFolder(path)
    folder.create()
    process = os.getpid() if pid is None else pid
    folder.update(
        state=state,
        pid=process,
        process_started=process_started(process),
        host=os.uname().nodename,
        plan={"epochs": 4, "steps": 100, "samples": 1000},
        val=LOSSES,
        best={"combined": {"score": 1.5, "epoch": 2, "step": 50}},
    )
    folder.record(**TRAIN)
    folder.record(**VAL)
    folder.log("epoch 2 is the best so far")
    return folder


@contextmanager
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "one"


def test_a_running_run_is_described_by_its_last_lines(tmp_path: Path) -> None:
    write_run(tmp_path / "one")
    (tmp_path / "one/checkpoints/step-00000040").mkdir(parents=True)
    (tmp_path / "one/checkpoints/step-00000040/manifest.json").touch()
    for unfinished in ("step-00000050", "step-00000060.partial", "aside-step-00000070"):
        (tmp_path / "one/checkpoints" / unfinished).mkdir()
    (tmp_path / "one/checkpoints/step-00000060.partial/manifest.json").touch()
    (tmp_path / "one/checkpoints/aside-step-00000070/manifest.json").touch()
    status = read_status(tmp_path / "one")
    assert (status.state, status.epoch, status.epochs) == ("running", 2, 4)
    assert (status.step, status.steps, status.samples_seen) == (50, 100, 500)
    assert (status.loss, status.val, status.best["combined"]["score"]) == (1.25, LOSSES, 1.5)
    assert (status.samples_per_s, status.seconds_left) == (20.0, 25.0)
    assert status.gpu_memory_gb == 31.5
    assert status.checkpoint == str(tmp_path / "one/checkpoints/step-00000040")


@pytest.mark.parametrize("state", ["finished", "stopped", "failed"])
def test_a_run_that_ended_says_how_and_has_no_time_left(tmp_path: Path, state: str) -> None:
    write_run(tmp_path / "one").end(state, message="the disk is full")
    status = read_status(tmp_path / "one")
    assert (status.state, status.seconds_left) == (state, None)
    assert status.message == ("the disk is full" if state == "failed" else None)


def test_a_run_whose_process_is_gone_is_dead(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        write_run(tmp_path / "one", pid=process.pid)
        assert read_status(tmp_path / "one").state == "running"
        process.kill()
    assert read_status(tmp_path / "one").state == "dead"


def test_the_last_step_is_that_of_a_later_checkpoint(tmp_path: Path) -> None:
    """Metrics are written every few steps; a run that is stopped saves at its last one."""
    folder = write_run(tmp_path / "one").path
    before = read_status(folder).step
    assert before is not None
    saved = folder / f"checkpoints/step-{before + 3:08}"
    saved.mkdir(parents=True)
    (saved / "manifest.json").touch()
    assert read_status(folder).step == before + 3


def test_a_process_that_got_the_number_later_is_not_the_run(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "one")
    folder.update(process_started=folder.state["process_started"] - 1)
    assert read_status(tmp_path / "one").state == "dead"


@settings(max_examples=50)  # a machine may be busy
@example(cut=0, rubbish=b"17\n")
@given(st.integers(0, 400), st.binary(max_size=40))
def test_no_cut_and_no_rubbish_in_the_files_is_fatal(cut: int, rubbish: bytes) -> None:
    with place() as path:
        write_run(path)
        for name in (METRICS, STATE):
            whole = (path / name).read_bytes()
            (path / name).write_bytes(whole[: len(whole) - cut] + rubbish)
        status = read_status(path)
        write_runs([status], 80, io.StringIO())
        write_details(status, io.StringIO())


@settings(max_examples=50)  # a machine may be busy
@given(st.recursive(st.none() | st.integers() | st.text() | st.floats(), st.lists, max_leaves=3))
def test_no_value_of_another_type_is_fatal(value: object) -> None:
    with place() as path:
        folder = write_run(path)
        for line in (TRAIN, VAL):
            with (path / METRICS).open("a") as file:
                file.write(json.dumps(dict.fromkeys(line, value) | {"kind": "train"}) + "\n")
        (path / STATE).write_text(json.dumps(dict.fromkeys(folder.state, value)))
        status = read_status(path)
        write_runs([status], 80, io.StringIO())
        write_details(status, io.StringIO())


def test_of_long_metrics_only_the_end_is_read(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "one")
    os.truncate(tmp_path / "one" / METRICS, 2**40)  # a hole: it takes no room on the disk
    with (tmp_path / "one" / METRICS).open("a") as file:
        file.write("\n")
    folder.record(**TRAIN | {"step": 70})
    assert read_status(tmp_path / "one").step == 70


def test_it_answers_without_torch(tmp_path: Path) -> None:
    write_run(tmp_path / "runs/one")
    call = "import sys\nfrom snac_train.cli.{} import main\n"
    call += "try: main(sys.argv[1:])\n"
    call += "finally: assert not {{'torch', 'pyarrow', 'numpy', 'wandb'}} & set(sys.modules)"
    for name, argument, code in (("status", "--log", 0), ("stop", "two", 2)):
        command = [sys.executable, "-c", call.format(name), argument, "--artifacts", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr


@given(st.integers(1, 200), st.integers(0, 10**9), st.text("ab-1", min_size=1, max_size=12))
def test_a_table_is_no_wider_than_the_terminal(width: int, steps: int, name: str) -> None:
    with place() as path:
        write_run(path)
        status = read_status(path)
    runs = [status, replace(status, run=name, step=steps, seconds_left=float(steps))]
    output = io.StringIO()
    write_runs(runs, width, output)
    lines = output.getvalue().splitlines()
    names = lines[0].split()
    assert names[:2] == ["run", "state"]
    assert max(map(len, lines)) <= width or names == ["run", "state"]
    if width == 200:
        assert "GPU" in names


def test_durations_are_said_in_two_units() -> None:
    said = [duration(seconds) for seconds in (None, 0.4, 75.0, 3_725.0, 200_000.0)]
    assert said == ["", "0 s", "1 m 15 s", "1 h 2 m", "2 d 7 h"]


def test_the_newest_run_comes_first_and_other_files_are_no_runs(tmp_path: Path) -> None:
    for number, name in enumerate(("first", "second")):
        write_run(tmp_path / "runs" / name)
        for path in (tmp_path / "runs" / name).iterdir():
            os.utime(path, (1000 + number, 1000 + number))
    (tmp_path / "runs/empty").mkdir()
    (tmp_path / "runs/first.pid").write_text("1\n")
    assert [path.name for path in find_runs(Artifacts(tmp_path))] == ["second", "first"]


def test_the_log_is_the_one_that_was_written_last(tmp_path: Path) -> None:
    write_run(tmp_path / "one")
    assert log_tail(tmp_path / "one", 5)[0].endswith("epoch 2 is the best so far")
    (tmp_path / "one.log").write_text("a\nb\nc\n")
    os.utime(tmp_path / "one/train.log", (1000, 1000))
    assert log_tail(tmp_path / "one", 2) == ["b", "c"]


def test_the_command_shows_all_runs_one_or_lines_for_programs(tmp_path: Path) -> None:
    art = ("--artifacts", tmp_path)
    assert succeed("snac_train.cli.status", *art) == {"runs": 0, "states": {}}
    write_run(tmp_path / "runs/one")
    write_run(tmp_path / "runs/two").end("finished")
    shown = on_a_terminal("snac_train.cli.status", *art)
    assert {"one", "two", "2/4", "1.2500"} <= set(shown.stdout.split())
    assert last_line(shown) == {"runs": 2, "states": {"running": 1, "finished": 1}}
    lines = list(map(json.loads, run("snac_train.cli.status", *art).stdout.splitlines()))
    assert {line["run"]: line["step"] for line in lines[:-1]} == {"one": 50, "two": 50}
    asked = on_a_terminal("snac_train.cli.status", "--json", *art).stdout.splitlines()
    assert len(list(map(json.loads, asked))) == 3
    (one, _) = run("snac_train.cli.status", "--run", "one", "--log", 1, *art).stdout.splitlines()
    assert json.loads(one)["log"][0].endswith("epoch 2 is the best so far")
    detailed = on_a_terminal("snac_train.cli.status", "--run", "one", "--log", 1, *art).stdout
    assert "combined 1.5000, epoch 2" in detailed
    assert "epoch 2 is the best so far" in detailed
    missing = run("snac_train.cli.status", "--run", "three", *art)
    assert (missing.exit_code, "three" in missing.stderr) == (2, True)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"state": 1}', '{"state": "running"}'])
def test_a_damaged_state_is_named_and_stops_no_overview(tmp_path: Path, text: str) -> None:
    write_run(tmp_path / "runs/one")
    write_run(tmp_path / "runs/two")
    path = tmp_path / "runs/one" / STATE
    path.write_text(text)
    art = ("--artifacts", tmp_path)
    assert succeed("snac_train.cli.status", *art)["states"] == {"unknown": 1, "running": 1}
    assert str(path) in run("snac_train.cli.status", "--run", "one", *art).stdout
    stopped = run("snac_train.cli.stop", "one", *art)
    assert stopped.exit_code == 1
    assert str(path) in stopped.stderr
    assert "remove the file" in stopped.stderr


def test_what_does_not_run_cannot_be_stopped(tmp_path: Path) -> None:
    write_run(tmp_path / "runs/one").end("finished")
    assert succeed("snac_train.cli.stop", "one", "--artifacts", tmp_path)["state"] == "finished"
    assert run("snac_train.cli.stop", "two", "--artifacts", tmp_path).exit_code == 2


def test_a_process_that_only_has_the_number_is_left_alone() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        started = process_started(process.pid)
        assert started
        end_process(process.pid, started - 1, GENTLY)
        assert process.poll() is None
        end_process(process.pid, started, GENTLY)
        assert process.wait() == -signal.SIGTERM
    end_process(process.pid, started, GENTLY)


def test_a_process_that_hears_nothing_is_killed_when_it_must_end_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop, "AT_ONCE", [(number, 0.2) for number, _ in stop.AT_ONCE])

    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True)\n"
    deaf += "time.sleep(60)"
    command = [sys.executable, "-c", deaf]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        write_run(tmp_path / "runs/one", pid=process.pid)
        stopped = succeed("snac_train.cli.stop", "one", "--now", "--artifacts", tmp_path)
    assert (stopped["state"], process.returncode) == ("dead", -signal.SIGKILL)
