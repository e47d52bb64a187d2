"""How far a cache is, as anybody sees it who sees its folder."""

import json
import os
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from models import NARROW, seeded
from workplace import on_a_terminal, run, succeed, write_tone

from snac_common.jobs import Job, state_file
from snac_common.processes import process_started
from snac_model import save

CACHE, STATUS = "snac_cache.cli.cache", "snac_train.cli.status"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifacts of five utterances in parts of one; one is rejected, one part is missing."""
    root = tmp_path_factory.mktemp("artifacts")
    for number in range(5):
        write_tone(root / "in" / f"{number}.wav", 1.0 + number / 10, 24_000)
    succeed("snac_cache.cli.manifest", root / "in", "-o", root / "manifests", "--val-ratio", 0)
    (root / "in" / "1.wav").unlink()
    save(seeded(NARROW["24k"]), root / "model")
    given = ["--model", root / "model", "--artifacts", root, "--part-rows", 1]
    succeed(CACHE, *given, "--device", "cpu", "--workers", 1, "--max-reject-rate", 1)
    (root / "codes" / "train" / "part-00003.parquet").unlink()
    state_file(root / "codes").unlink()
    return root


def write_job(folder: Path, **fields: object) -> None:
    job = Job("snac-cache", str(folder), "running", pid=os.getpid(), host=os.uname().nodename)
    said = asdict(job) | {"process_started": process_started(os.getpid()), "updated": time.time()}
    state_file(folder).write_text(json.dumps(said | fields))


def test_what_is_done_and_what_is_left(cache: Path) -> None:
    write_job(cache / "codes", per_second=0.5)
    said = json.loads(run(STATUS, "--artifacts", cache, "--codes").stdout)
    assert (said["parts"], said["finished"]) == (5, 4)
    assert (said["planned_rows"], said["rows"], said["rows_left"]) == (5, 3, 1)
    assert said["rejects"] == {"unreadable": 1}
    assert said["audio_seconds"] == pytest.approx(1.0 + 1.2 + 1.4)
    assert said["seconds_left"] == 2.0
    assert said["audio_seconds_per_s"] == pytest.approx(0.6)


def test_a_folder_is_the_same_however_it_is_named(cache: Path) -> None:
    write_job(cache / "codes", per_second=0.5)
    said = json.loads(run(STATUS, "--codes", cache / "codes/../codes").stdout)
    assert [job["state"] for job in said["commands"]] == ["running"]


@pytest.mark.parametrize("more", [["--run", "first"], ["--log", 3]])
def test_a_cache_has_no_run(cache: Path, more: list[object]) -> None:
    refused = run(STATUS, "--codes", cache / "codes", *more)
    assert (refused.exit_code, "give one of them" in refused.stderr) == (2, True)


def test_for_people(cache: Path) -> None:
    write_job(cache / "codes", per_second=0.5)
    shown = on_a_terminal(STATUS, "--codes", cache / "codes").stdout
    assert "parts       4 of 5 finished\n" in shown
    assert "utterances  3 of 5 cached, 1 left\n" in shown
    assert "time left   2 s\n" in shown
    assert f"{os.getpid()} on {os.uname().nodename}: running\n" in shown


def test_who_fell_silent_is_named(cache: Path) -> None:
    write_job(cache / "codes", updated=time.time() - 720, pid=2**22 + 1)
    shown = on_a_terminal(STATUS, "--codes", cache / "codes").stdout
    assert ": dead, silent for 12 m 0 s\n" in shown
    assert "nobody is at work" in shown


def test_where_there_is_no_cache_it_says_so(tmp_path: Path) -> None:
    refused = run(STATUS, "--codes", tmp_path)
    assert refused.exit_code == 1
    assert f"no cache was begun in {tmp_path}" in refused.stderr
