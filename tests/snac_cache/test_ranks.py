"""Several processes on one cache: ranks that launchers number, and how workers are chosen."""

import os
from pathlib import Path

import killing
import pytest
import torch
from killing import Surroundings
from workplace import run, snapshot, succeed

from snac_cache.work.ranks import Rank, this_rank
from snac_common import devices
from snac_common.devices import available_cores, choose_workers
from snac_common.errors import BadInput

CACHE = "snac_cache.cli.cache"


@pytest.mark.parametrize(
    ("environment", "rank"),
    [
        ({}, Rank(0, 1, 0)),
        ({"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}, Rank(5, 8, 1, True)),
        (
            {"SLURM_PROCID": "2", "SLURM_STEP_NUM_TASKS": "4", "SLURM_LOCALID": "2"},
            Rank(2, 4, 2, True),
        ),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, Rank(0, 1, 0)),
    ],
)
def test_ranks_are_read_from_what_launchers_set(environment: dict[str, str], rank: Rank) -> None:
    assert this_rank(None, environment) == rank


def test_two_ranks_make_what_one_makes(
    tmp_path: Path, model_folder: Path, manifest_folder: Path
) -> None:
    options = ["--model", model_folder, "--manifest", manifest_folder, "--device", "cpu"]
    options += ["--part-rows", 3]
    succeed(CACHE, *options, "--codes", tmp_path / "alone")
    started = [
        killing.start(
            CACHE,
            [*options, "--codes", tmp_path / "shared"],
            log=tmp_path / "log",
            surroundings=Surroundings({"RANK": str(n), "WORLD_SIZE": "2", "LOCAL_RANK": str(n)}),
        )
        for n in (0, 1)
    ]
    for process in started:
        process.join()
    said = (tmp_path / "log").read_text()
    assert [process.exitcode for process in started] == [0, 0], said
    assert snapshot(tmp_path / "shared") == snapshot(tmp_path / "alone")


def test_one_rank_says_what_it_leaves_to_the_others(
    tmp_path: Path, model_folder: Path, manifest_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    options = ["--model", model_folder, "--manifest", manifest_folder, "--device", "cpu"]
    options += ["--codes", tmp_path, "--part-rows", 3]
    half = succeed(CACHE, *options)
    assert half["parts_left_to_other_ranks"] == 3
    assert half["rows"] == 4  # parts 1 and 3 of 5, the last of train with one row
    refused = run(CACHE, *options, "--overwrite")
    assert refused.exit_code == 1
    assert "one process" in refused.stderr


def test_cpu_workers_are_one_a_core_or_as_many_as_asked() -> None:
    assert choose_workers("cpu", None, 3) == ["cpu"] * 3
    assert choose_workers("cpu", None, None) == ["cpu"] * len(os.sched_getaffinity(0))
    assert choose_workers("cpu", None, None, alone=False) == ["cpu"]


@pytest.mark.parametrize("gpus", ["99", "0,0", "first", "0,99"])
def test_a_gpu_that_does_not_exist_is_an_error_that_names_what_does(gpus: str) -> None:
    present = ", ".join(map(str, range(torch.cuda.device_count()))) or "none"
    with pytest.raises(BadInput, match=f"GPUs here: {present}"):
        choose_workers("auto", gpus, None)


def test_gpus_and_the_cpu_contradict() -> None:
    with pytest.raises(BadInput, match="neither"):
        choose_workers("cpu", "0", None)


@pytest.mark.parametrize(("limit", "cores"), [("150000 100000", 2), ("max 100000", 64), ("1 9", 1)])
def test_a_container_s_share_of_the_cores_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, cores: int
) -> None:
    (tmp_path / "cpu.max").write_text(limit + "\n")
    monkeypatch.setattr(devices, "_CGROUP_LIMIT", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)))
    assert available_cores() == cores
