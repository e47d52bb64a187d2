"""What is checked before a long run, each check passing and failing."""

import os
import re
from pathlib import Path

import pytest
from training import SMALL_RECIPE, make_cache, small_recipe, write_voice
from whole_runs import settings
from workplace import run, succeed

from snac_common.errors import Failure
from snac_common.processes import process_started
from snac_model import load
from snac_train.commands.busy_gpus import check_gpus
from snac_train.commands.preflight import bytes_to_write, check_disk
from snac_train.data.inputs import with_heads
from snac_train.recipe.load import load_recipe
from snac_train.run.checkpoints.checkpoint import read_checkpoint
from snac_train.run.run_folder import RunFolder
from snac_train.session import memory

MOMENTS = ("exp_avg", "exp_avg_sq")

SMI = """#!/bin/sh
case "$*" in
*compute-apps*) echo "4242, /usr/bin/python3" ;;
*"-i 7"*|*"-i MIG"*) echo "No devices were found"; exit 6 ;;
*"-i 1"*) echo "1000, 80000" ;;
*"-i 2"*) echo "[N/A], [N/A]" ;;
*) echo "60000, 80000" ;;
esac
"""


def preflight(*arguments: object) -> tuple[int, str]:
    options = ("--phase", 12, "--device", "cpu", *settings(SMALL_RECIPE))
    done = run("snac_train.cli.train", *options, "--preflight", *arguments)
    return done.exit_code, done.stderr


def test_what_is_ready_passes_and_leaves_nothing(voices: Path, tmp_path: Path) -> None:
    code, said = preflight("--codes", voices, "--artifacts", tmp_path / "art", "--run", "one")
    assert code == 0, said
    assert "FAIL" not in said
    assert "6 train and 5 val utterances; 1 have no 48 kHz target" in said
    assert not (tmp_path / "art").exists()


def test_the_memory_of_the_largest_step_is_said(voices: Path, tmp_path: Path) -> None:
    code, said = preflight("--codes", voices, "--artifacts", tmp_path)
    assert code == 0, said
    assert re.search(r"ok +memory +3 segments of 0.4 s need about \d", said), said


def test_a_step_that_cannot_fit_is_refused(
    voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda *_: 10)
    code, said = preflight("--codes", voices, "--artifacts", tmp_path)
    assert code == 1
    assert "FAIL  memory" in said
    assert "--segment-schedule" in said


def test_without_codes_it_says_what_makes_them(tmp_path: Path) -> None:
    code, said = preflight("--artifacts", tmp_path)
    assert code == 1
    assert "FAIL  codes" in said
    assert "snac-cache" in said
    assert "not ready" in said


def test_codes_that_fail_a_check_are_not_trained_on(voices: Path, tmp_path: Path) -> None:
    codes = tmp_path / "codes"
    for path in voices.rglob("*"):
        if path.is_file() and path.name != "cache.json":
            target = codes / path.relative_to(voices)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)
    (codes / "val" / "part-00001.parquet").write_text("no parquet")
    code, said = preflight("--codes", codes, "--artifacts", tmp_path)
    assert code == 1
    assert "readable" in said


def test_without_targets_it_says_what_makes_them(small_codec: Path, tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_voice(tmp_path / f"in/{split}/1.wav", 0.5, 1, 24_000)
    codes = make_cache(tmp_path / "in", tmp_path, small_codec)
    code, said = preflight("--codes", codes, "--artifacts", tmp_path)
    assert code == 1
    assert "FAIL  data" in said
    assert "snac-upsample" in said


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("curriculum.epoch_ranges=1-2,4-5", "must begin at 3"),
        ("schedule.pct_start=0.1", "schedule.pct_start"),  # of 10 steps: 2 * 3 and 2 * 2
    ],
)
def test_a_plan_that_cannot_work_is_refused(
    voices: Path, tmp_path: Path, setting: str, message: str
) -> None:
    place = ("--codes", voices, "--artifacts", tmp_path, "--warmup-epochs", 0)
    code, said = preflight(*place, "--set", setting)
    assert (code, "FAIL  data" in said, message in said) == (1, True, True), said


def test_a_run_in_the_folder_is_in_the_way(voices: Path, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "runs/one")
    folder.create()
    folder.write_recipe(small_recipe().to_toml())
    place = ("--codes", voices, "--artifacts", tmp_path, "--run", "one")
    code, said = preflight(*place)
    assert (code, "never overwritten" in said) == (1, True)
    assert preflight(*place, "--resume")[0] == 0
    pid = os.getpid()
    folder.update(
        state="running", pid=pid, process_started=process_started(pid), host=os.uname().nodename
    )
    code, said = preflight(*place, "--resume")
    assert (code, f"process {pid} is training" in said) == (1, True)


def test_too_small_a_disk_is_noticed(tmp_path: Path) -> None:
    assert "free" in check_disk(tmp_path / "runs/one", 1000)
    with pytest.raises(Failure, match="make room"):
        check_disk(tmp_path / "runs/one", 10**18)


def test_what_a_run_has_written_need_not_be_free_again(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints/step-00000001/model.safetensors"
    path.parent.mkdir(parents=True)
    path.touch()
    os.truncate(path, 10**12)  # a hole
    assert "need 0.00 GB" in check_disk(tmp_path, 10**12)


@pytest.mark.parametrize(
    "phase", [*(pytest.param(one, marks=pytest.mark.campaign) for one in (10, 11)), 12]
)
def test_the_estimate_is_what_a_run_comes_to(
    voices: Path, small_codec: Path, tmp_path: Path, phase: int
) -> None:
    smaller = SMALL_RECIPE | {"curriculum.epochs": "2", "curriculum.warmup_epochs": "0"}
    smaller |= {"checkpoint.keep": "1", "validation.curriculum": "false"}
    options = ("--phase", phase, "--artifacts", tmp_path, "--codes", voices, "--run", "one")
    succeed("snac_train.cli.train", *options, "--device", "cpu", *settings(smaller))
    recipe = load_recipe(phase, smaller.items())
    (path,) = (tmp_path / "runs/one/checkpoints").iterdir()
    written = read_checkpoint(path)
    weights = sum(value.nbytes for value in written.model.values())
    moments = [
        state[name] for state in written.players["decoder"]["weights"].values() for name in MOMENTS
    ]
    checkpoint = weights + sum(value.nbytes for value in moments)
    best = len(list((tmp_path / "runs/one").glob("best*")))
    # one checkpoint and one model more, while they are written
    expected = (1 + 1) * checkpoint + (best + 1) * weights
    assert bytes_to_write(recipe, with_heads(load(small_codec), recipe, "small")) == expected


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with GPUs in use and free ones, as far as nvidia-smi has it."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "nvidia-smi").write_text(SMI)
    (tmp_path / "nvidia-smi").chmod(0o755)


def test_gpus_in_use_are_named_with_their_processes(
    nvidia_smi: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert check_gpus([1, 2]) == "1, 2: free"
    with pytest.raises(Failure, match=r"GPU 0 has 60000 of 80000 MiB in use, by 4242.*--gpus"):
        check_gpus([0, 1])
    with pytest.raises(Failure, match="GPU 0 has 60000"):
        check_gpus(None)
    with pytest.raises(Failure, match="No devices"):
        check_gpus([7])


def test_those_gpus_are_asked_about_that_will_be_used(
    nvidia_smi: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0,GPU-8932f937")
    assert check_gpus(None) == "1: free"
    assert check_gpus([0]) == "1: free"
    with pytest.raises(Failure, match="GPU 0 has 60000"):
        check_gpus([1])
    with pytest.raises(Failure, match="GPU GPU-8932f937 has 60000"):
        check_gpus([2])


def test_a_part_of_a_gpu_is_not_asked_about(
    nvidia_smi: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-1,1")
    assert check_gpus([0, 1]) == "1: free; nvidia-smi does not say it of MIG-1"


def test_cuda_counts_gpus_as_nvidia_smi_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    assert run("snac_train.cli.train", "--phase", 12, "--show-recipe").exit_code == 0
    assert os.environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
