"""The launch files for schedulers: run with the scheduler's part played by a few lines of shell."""

import os
import shlex
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from models import NARROW, seeded
from workplace import succeed, write_tone

from snac_model import save

LAUNCH = Path(__file__).resolve().parents[2] / "tools" / "launch"
CACHE = "snac_cache.cli.cache"
ARRAY = {"MIN": "1", "MAX": "2", "STEP": "1", "COUNT": "2"}
MODULES = {"snac-cache": CACHE, "snac-train": "snac_train.cli.train"}


def stub(folder: Path, name: str, lines: str) -> None:
    """Put a command of this name into a folder."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)


def launch(
    script: str, stubs: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a launch script where commands are first looked for in ``stubs``."""
    path = f"{stubs}:{os.environ['PATH']}"
    return subprocess.run(
        [LAUNCH / script, *arguments],
        env={**os.environ, **environment, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("script", ["slurm_cache.sh", "ray_cache.sh"])
def test_the_command_takes_the_place_of_the_script(script: str, tmp_path: Path) -> None:
    """So the scheduler's signals reach it, and not a shell that would die alone."""
    stub(tmp_path, "snac-cache", 'echo "$PPID"; printf "%s\\n" "$@"')
    done = launch(script, tmp_path, "--limit", "a b")
    parent, *given = done.stdout.splitlines()
    assert parent == str(os.getpid())
    assert given[-2:] == ["--limit", "a b"]
    parses("snac-cache", given[:-2])


def test_the_tasks_of_an_array_make_the_whole_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        write_tone(tmp_path / "in" / f"{number}.wav", 1.0 + number / 10, 24_000)
    succeed("snac_cache.cli.manifest", tmp_path / "in", "-o", tmp_path / "manifests")
    save(seeded(NARROW["24k"]), tmp_path / "model")
    stub(tmp_path, "snac-cache", 'printf "%s\\n" "$@"')
    given = ["--model", str(tmp_path / "model"), "--artifacts", str(tmp_path), "--part-rows", "1"]
    left = []
    for task in ("1", "2"):
        for name, value in {**ARRAY, "ID": task}.items():
            monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)
        words = launch("slurm_cache.sh", tmp_path, *given).stdout.splitlines()
        left.append(succeed(CACHE, *words, "--device", "cpu")["parts_left_to_other_ranks"])
    assert left[0] > 0
    assert left[1] == 0


@pytest.mark.parametrize(("code", "queued"), [(143, True), (0, False), (1, False)])
def test_a_training_job_that_was_stopped_is_queued_again(
    tmp_path: Path, code: int, queued: bool
) -> None:
    stub(tmp_path, "srun", f'printf "%s\\n" "$@" "$MASTER_ADDR"; exit {code}')
    stub(tmp_path, "scontrol", f'[ "$1" = show ] && echo node1 || echo "$@" >> {tmp_path}/asked')
    slurm = {"SLURM_JOB_NODELIST": "node[1-2]", "SLURM_JOB_ID": "17"}
    done = launch("slurm_train.sh", tmp_path, "--phase", "12", "--run", "first", **slurm)
    *words, main = done.stdout.splitlines()
    assert (done.returncode, main) == (code, "node1")
    assert words[0] == "snac-train"
    parses("snac-train", words[1:])
    asked = tmp_path / "asked"
    assert asked.exists() == queued
    assert not queued or asked.read_text() == "requeue 17\n"


@pytest.mark.parametrize("name", ["kubernetes_cache.yaml", "kubernetes_train.yaml"])
def test_a_pod_runs_one_of_our_commands(name: str) -> None:
    job = yaml.safe_load((LAUNCH / name).read_text())
    pod = job["spec"]["template"]["spec"]
    [container] = pod["containers"]
    shell, option, line = container["command"]
    assert (shell, option) == ("sh", "-c")
    check_line(line.removeprefix("exec "), {"$JOB_COMPLETION_INDEX": "0"})
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    if job["spec"].get("completionMode") == "Indexed":
        assert f"/{job['spec']['completions']}" in line, "each pod takes its share of all"


def test_a_cloud_machine_runs_one_of_our_commands() -> None:
    task: dict[str, Any] = yaml.safe_load((LAUNCH / "skypilot_train.yaml").read_text())
    check_line(task["run"].strip().splitlines()[-1], {})
    assert (LAUNCH.parents[1] / task["setup"]).is_file()


def check_line(line: str, values: dict[str, str]) -> None:
    """See that a command of ours takes a line's arguments."""
    for name, value in values.items():
        line = line.replace(name, value)
    command, *arguments = shlex.split(line)
    parses(command, arguments)


def parses(command: str, arguments: list[str]) -> None:
    """See that a command takes these arguments; it ends with a message if it does not."""
    import_module(MODULES[command]).main.make_context(command, list(arguments))
