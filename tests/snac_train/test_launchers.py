"""The launchers that people use start several processes, which train together."""

import json
import subprocess
import sys
from pathlib import Path

import killing
import pytest
from killing import Surroundings
from whole_runs import arguments, settings

SHORT = settings({"curriculum.epochs": "1", "data.limit": "2", "validation.limit": "1"})
BIN = Path(sys.executable).parent


def check(root: Path) -> None:
    """See that two processes have trained one run to its end."""
    state = json.loads((root / "runs/one/run.json").read_text())
    assert (state["state"], state["processes"]) == ("finished", 2)
    train = [line for line in (root / "runs/one/metrics.jsonl").open() if '"train"' in line]
    assert len(train) == 1, "one batch of two utterances is one step of both"


LAUNCHERS = {
    "torchrun": ["torchrun", "--standalone", "--nproc-per-node", "2", "-m", "snac_train", "--"],
    "accelerate": ["accelerate", "launch", "--multi_gpu", "--num_processes", "2"],
}
LAUNCHERS["accelerate"] += ["--num_machines", "1", "--mixed_precision", "no"]
LAUNCHERS["accelerate"] += ["--dynamo_backend", "no", "-m", "snac_train"]


@pytest.mark.parametrize(  # both say the same to the processes that they start
    "launcher", ["torchrun", pytest.param("accelerate", marks=pytest.mark.campaign)]
)
def test_a_launcher_starts_processes_that_train_together(
    voices: Path, tmp_path: Path, launcher: str
) -> None:
    program, *options = LAUNCHERS[launcher]
    command = [str(BIN / program), *options, *map(str, arguments(tmp_path, voices, *SHORT))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    check(tmp_path)


def test_processes_that_srun_starts_train_together(voices: Path, tmp_path: Path) -> None:
    step = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(killing.free_port()),
        "SLURM_JOB_ID": "17",
        "SLURM_NTASKS": "2",
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_NUM_NODES": "1",
        "SLURM_STEP_TASKS_PER_NODE": "2",
        "SLURM_JOB_NODELIST": "node1",
    }
    log = tmp_path / "log"
    processes = [
        killing.start(
            killing.TRAIN,
            arguments(tmp_path, voices, *SHORT),
            log=log,
            surroundings=Surroundings(step | {"SLURM_PROCID": rank, "SLURM_LOCALID": rank}),
        )
        for rank in ("0", "1")
    ]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0], log.read_text()
    check(tmp_path)
