"""The busy share is of the GPUs in use alone."""

import stat
import sys
import time
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "tools" / "bench"))

from gpu_busy import gpu_busy, in_percent

NVIDIA_SMI = """#!/usr/bin/env bash
# Four GPUs: the first and the last busy, the others idle.
declare -A busy=([0]=90 [1]=0 [2]=0 [3]=70)
ids=0,1,2,3
for argument in "$@"; do [[ $argument == --id=* ]] && ids=${argument#--id=}; done
for id in ${ids//,/ }; do echo "${busy[$id]}"; done
sleep 60 &
trap 'kill %1; exit' TERM
wait
"""


@pytest.mark.parametrize(
    ("visible", "gpus", "mean"),
    [("", 1, "90 %"), ("", 2, "45 %"), ("3", 1, "70 %"), ("3,0", 2, "80 %")],
)
def test_idle_gpus_of_others_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visible: str, gpus: int, mean: str
) -> None:
    command = tmp_path / "nvidia-smi"
    command.write_text(NVIDIA_SMI)
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with gpu_busy(gpus) as samples:
        time.sleep(1.0)
    assert in_percent(samples) == mean


def test_without_a_gpu_there_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with gpu_busy() as samples:
        pass
    assert in_percent(samples) == ""
