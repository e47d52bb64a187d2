"""Caching and upsampling in the background: a log, a number, a state, and one at a time."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from workplace import command, run, succeed

from snac_cache.work.lock import working_in
from snac_common.jobs import Job, find_jobs, state_file

CACHE, UPSAMPLE = "snac_cache.cli.cache", "snac_cache.cli.upsample"


def detach(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    line = command(module, *arguments, "--detach")
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)


def wait_for_the_end(root: Path) -> Job:
    deadline = time.monotonic() + 120
    while (job := find_jobs(root)[0]).state == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return job


def test_caching_goes_on_without_the_terminal(
    tmp_path: Path, model_folder: Path, manifest_folder: Path
) -> None:
    where = ("--model", model_folder, "--manifest", manifest_folder, "--device", "cpu")
    done = detach(CACHE, *where, "--workers", 1, "--artifacts", tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["log"], said["folder"]) == (f"{tmp_path}/codes.log", f"{tmp_path}/codes")
    assert Path(said["pid_file"]).read_text() == f"{said['pid']}\n"
    assert f"snac-status --artifacts {tmp_path}" in done.stderr
    assert f"snac-stop snac-cache --artifacts {tmp_path}" in done.stderr
    job = wait_for_the_end(tmp_path)
    assert (job.state, job.pid, job.done, job.total) == ("finished", said["pid"], 12, 12)
    assert '"rows": 12' in Path(said["log"]).read_text()
    assert succeed(CACHE, *where, "--artifacts", tmp_path)["skipped_rows"] == 12


def test_upsampling_goes_on_without_the_terminal(tmp_path: Path, manifest_folder: Path) -> None:
    where = ("--manifest", manifest_folder, "-o", tmp_path / "manifests", "--artifacts", tmp_path)
    done = detach(UPSAMPLE, *where, "--engine", "resample", "--workers", 1)
    assert done.returncode == 0, done.stderr
    job = wait_for_the_end(tmp_path)
    assert (job.command, job.state, job.total) == ("snac-upsample", "finished", 12)
    assert "targets in" in Path(json.loads(done.stdout)["log"]).read_text()


@pytest.mark.parametrize("module", [CACHE, UPSAMPLE])
def test_a_second_one_says_who_is_at_work(
    tmp_path: Path, manifest_folder: Path, module: str
) -> None:
    folder = tmp_path / ("codes" if module == CACHE else "audio48k")
    with working_in(folder, "snac-cache"):
        refused = detach(module, "--manifest", manifest_folder, "--artifacts", tmp_path)
    assert refused.returncode == 1
    who = f"snac-cache, process {os.getpid()} on {os.uname().nodename}, since 20"
    assert f"another command is at work in {folder}: {who}" in refused.stderr
    assert not folder.with_name(f"{folder.name}.log").exists()
    assert not state_file(folder).exists()


def test_what_cannot_begin_says_why(tmp_path: Path) -> None:
    refused = detach(CACHE, "--manifest", tmp_path / "none", "--artifacts", tmp_path)
    assert refused.returncode == 1
    assert "snac-cache could not be started" in refused.stderr
    assert str(tmp_path / "none") in refused.stderr


def test_what_cannot_be_done_without_a_pipe_is_refused(tmp_path: Path) -> None:
    refused = detach(CACHE, "--manifest", "-", "--artifacts", tmp_path)
    assert (refused.returncode, "has no pipe to read" in refused.stderr) == (2, True)


def test_too_many_rejects_are_how_the_work_ended(
    tmp_path: Path, model_folder: Path, manifest_folder: Path
) -> None:
    row: dict[str, Any] = {"utterance_id": "gone", "split": "train"}
    row |= {"audio_path": str(tmp_path / "none.wav")}
    row |= {"source_sample_rate": 24000, "num_frames": 24000, "duration_s": 1.0}
    (tmp_path / "m.jsonl").write_text(json.dumps(row) + "\n")
    where = ("--model", model_folder, "--device", "cpu", "--artifacts", tmp_path)
    assert run(CACHE, *where, "--manifest", tmp_path / "m.jsonl").exit_code == 1
    (job,) = find_jobs(tmp_path)
    assert (job.state, "rejected" in str(job.message)) == ("failed", True)
