"""The tutorial, run as it is written, on a folder of a few files."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import ROOT
from training import write_voice

TUTORIAL = (ROOT / "docs/tutorial.md").read_text()
# In place of a model that must be downloaded, and of a recipe that takes minutes.
INSTEAD = {
    "model=hubertsiuzdak/snac_24khz": "model=builtin:speech-small",
    "--recipe small": "--recipe ../tiny.toml",
}
TINY = """extends = "small"

[curriculum]
epochs = 2
warmup_epochs = 1
epoch_ranges = ["1-2"]
segment_s = [0.5]
batch_multiplier = [1.0]
batch_size = 4
"""


def blocks(language: str) -> str:
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", TUTORIAL, re.DOTALL))


COMMANDS = {
    name: module.partition(":")[0]
    for path in ROOT.glob("packages/*/pyproject.toml")
    for name, module in tomllib.loads(path.read_text())["project"].get("scripts", {}).items()
}


def test_its_commands_have_the_options_that_it_gives_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That they do what it says, tools/test.sh --all sees."""
    monkeypatch.chdir(tmp_path)
    for name in ("speech", "tokens.txt", "artifacts/runs/voice/best/config.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    lines = [
        shlex.split(line.replace("$speech", "speech").replace("$first", "speech"), comments=True)
        for line in blocks("sh").replace("\\\n", " ").splitlines()
    ]
    commands = [line for line in lines if line and line[0] in COMMANDS]
    assert len(commands) > 12
    for name, *words in commands:
        given = words[: min((words.index(one) for one in "<>" if one in words), default=None)]
        import_module(COMMANDS[name]).main.make_context(name, given)


@pytest.mark.campaign
def test_the_tutorial_can_be_followed(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(TINY)
    home = tmp_path / "home"
    for number in range(12):
        write_voice(home / f"speech/{number}.wav", 0.7 + 0.1 * number, number, 48_000)
    commands = blocks("sh")
    for written, instead in INSTEAD.items():
        assert written in commands
        commands = commands.replace(written, instead)
    bin_folder = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"}
    for program in (
        ["bash", "-euo", "pipefail", "-c", commands],
        ["python", "-c", blocks("python")],
    ):
        done = subprocess.run(
            program, cwd=home, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
    assert (home / "artifacts/eval/voice/report.html").is_file()
    assert (home / "artifacts/export/voice/pytorch_model.bin").is_file()
    spoken = np.fromfile(home / "speech.raw", np.int16)
    source = soundfile.info(home / "speech/0.wav")
    assert abs(len(spoken) - source.frames) <= 4096  # whole coarse tokens
    assert np.abs(spoken).max() > 100
