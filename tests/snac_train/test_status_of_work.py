"""Caching and upsampling are shown beside runs, and are stopped as runs are."""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from workplace import on_a_terminal, run, succeed

from snac_common.jobs import Job, state_file
from snac_common.processes import process_started

STATUS, STOP = "snac_train.cli.status", "snac_train.cli.stop"
AT_WORK = """
import sys, time
from pathlib import Path
from snac_common.jobs import recorded
from snac_common.tool import _raise_terminated
import signal
signal.signal(signal.SIGTERM, _raise_terminated)
with recorded("snac-cache", Path(sys.argv[1])) as work:
    work.begin(20, 5)
    print("begun", flush=True)
    time.sleep(60)
"""


def write_job(folder: Path, **fields: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    job = Job("snac-upsample", str(folder), "running", pid=os.getpid(), host=os.uname().nodename)
    said = asdict(job) | {"process_started": process_started(os.getpid()), "updated": time.time()}
    state_file(folder).write_text(json.dumps(said | fields))


def test_work_is_shown_with_its_progress(tmp_path: Path) -> None:
    write_job(tmp_path / "audio48k", done=250, total=1000, per_second=2.5)
    art = ("--artifacts", tmp_path)
    shown = on_a_terminal(STATUS, *art).stdout
    assert {"snac-upsample", "running", "audio48k", "250/1,000", "2.5/s"} <= set(shown.split())
    assert "5 m 0 s" in shown
    *lines, summary = map(json.loads, run(STATUS, *art).stdout.splitlines())
    assert [(line["command"], line["seconds_left"]) for line in lines] == [("snac-upsample", 300)]
    assert summary == {"runs": 0, "states": {"running": 1}}
    narrow = on_a_terminal(STATUS, *art, columns=40).stdout
    assert max(map(len, narrow.splitlines()[:3])) <= 40


def test_why_work_failed_is_shown(tmp_path: Path) -> None:
    write_job(tmp_path / "codes", state="failed", message="the disk is full")
    shown = on_a_terminal(STATUS, "--artifacts", tmp_path).stdout
    assert "failed: the disk is full" in shown


def test_work_is_stopped_by_the_name_of_its_command_or_folder(tmp_path: Path) -> None:
    for name in ("snac-cache", "codes"):
        command = [sys.executable, "-c", AT_WORK, str(tmp_path / "codes")]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout
            process.stdout.readline()
            ended = succeed(STOP, name, "--artifacts", tmp_path)
        assert (ended["state"], ended["done"], ended["total"]) == ("stopped", 5, 20)
        assert process.returncode in (1, 143)
    again = run(STOP, "codes", "--artifacts", tmp_path)
    assert (again.exit_code, "is not running: it is stopped" in again.stderr) == (0, True)


def test_what_is_neither_run_nor_work_is_answered_with_what_there_is(tmp_path: Path) -> None:
    write_job(tmp_path / "codes")
    refused = run(STOP, "cods", "--artifacts", tmp_path)
    assert refused.exit_code == 2
    assert "there is no run cods" in refused.stderr
    assert "snac-cache and snac-upsample" in refused.stderr
    shown = run(STATUS, "--run", "cods", "--artifacts", tmp_path)
    assert (shown.exit_code, "there is no run cods" in shown.stderr) == (2, True)


def test_work_on_another_machine_is_stopped_there(tmp_path: Path) -> None:
    write_job(tmp_path / "codes", host="elsewhere")
    refused = run(STOP, "codes", "--artifacts", tmp_path)
    assert (refused.exit_code, "works on elsewhere" in refused.stderr) == (1, True)
