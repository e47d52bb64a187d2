"""The shell tools: they parse, they can be run, and they say what is missing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = [*sorted((ROOT / "tools").glob("*.sh")), ROOT / ".ci" / "run"]


def run(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_parses_and_can_be_run(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/usr/bin/env bash\n")
    parsed = run("bash", "-n", script)
    assert (parsed.returncode, parsed.stderr) == (0, "")


def test_without_python_and_uv_set_up_says_what_to_install(tmp_path: Path) -> None:
    for tool in ("bash", "dirname"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or "")
    shutil.copytree(ROOT / "tools", tmp_path / "a project" / "tools")
    done = run(tmp_path / "a project" / "tools" / "setup.sh", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "no Python 3 with venv and pip on PATH; install one" in done.stderr


@pytest.mark.parametrize(
    ("name", "option"),
    [
        *[(name, "--help") for name in ("bench", "setup", "train", "stop", "test", "speech_small")],
        ("bench", "-h"),
    ],
)
def test_help_is_shown_and_nothing_done(tmp_path: Path, name: str, option: str) -> None:
    """Without anything on PATH but what printing takes, as a new machine may be."""
    for tool in ("bash", "dirname", "sed"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or "")
    script = ROOT / "tools" / f"{name}.sh"
    done = run(script, option, PATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"tools/{name}.sh" in done.stdout
    assert done.stdout.splitlines()[0] == script.read_text().splitlines()[1].removeprefix("# ")
    assert "source" not in done.stdout.split("Other tools source")[0]


@pytest.mark.parametrize("arguments", [["no such folder"], [".", "."]])
def test_the_quick_start_takes_one_folder_or_none(arguments: list[str]) -> None:
    done = run(ROOT / "tools" / "quickstart.sh", *arguments)
    assert done.returncode == 2
    assert "usage: tools/quickstart.sh [FOLDER]" in done.stderr
