"""The command as a person meets it."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import killing
import pytest
from click.testing import CliRunner, Result
from training import SMALL_RECIPE, manifest_of

from snac_train.cli.train import main


def run(*arguments: object) -> Result:
    """Run the command in this process, which has torch already."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def small_settings(**overrides: str) -> list[str]:
    settings = SMALL_RECIPE | {name.replace("__", "."): text for name, text in overrides.items()}
    return [part for name, text in settings.items() for part in ("--set", f"{name}={text}")]


def test_help_answers_without_torch() -> None:
    code = "import sys; sys.argv = ['snac-train', '--help']\n"
    code += "from snac_train.cli.train import main\n"
    code += "try: main()\nfinally: assert not {'torch', 'pyarrow', 'numpy'} & set(sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "Example" in result.stdout


def test_a_run_ends_with_its_summary(voices: Path, tmp_path: Path) -> None:
    place = ("--artifacts", tmp_path, "--codes", voices, "--run", "one", "--device", "cpu")
    result = run("--phase", 12, *place, "--epochs", 1, "--limit", 2, *small_settings()[2:])
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout.splitlines()[-1])
    assert summary["run"] == str(tmp_path / "runs/one")
    assert (summary["epochs"], summary["steps"], summary["train"]) == (1, 1, 2)
    assert "epoch 1 of 1 (warmup)" in result.stderr
    again = run("--phase", 12, *place)
    assert again.exit_code == 1
    assert "--run NAME" in again.stderr


def test_whatever_takes_long_is_said(voices: Path, tmp_path: Path) -> None:
    place = ["--artifacts", tmp_path, "--codes", voices, "--manifest", manifest_of(voices)]
    options = ["--phase", 12, "--run", "one", "--device", "cpu", *small_settings()]
    said = run(*place, *options).stderr
    order = [
        "opening codes and model",
        "estimating how much memory",
        "check that codes and audio match: 5/5 segments",
        "validate: 1/1 batches",
        "epoch 1 of 4 (warmup)",
        "epoch 4 of 4 (main)",
    ]
    assert all(words in said for words in order), said
    assert sorted(order, key=said.index) == order


def test_a_phase_without_a_recipe_is_a_usage_error() -> None:
    result = run("--phase", 13)
    assert result.exit_code == 2
    assert "12" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "loss.weigth_24k=1"], "loss.weight_24k"),
        (["--set", "loss"], "table.field=value"),
        (["--epochs", "two"], "curriculum.epochs"),
    ],
)
def test_a_recipe_that_does_not_fit_is_a_usage_error(arguments: list[str], message: str) -> None:
    result = run("--phase", 12, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_show_recipe_prints_what_would_be_run() -> None:
    schedule = ("--segment-schedule", "1,2", "--epoch-ranges", "1-2,3-15")
    result = run("--phase", 12, *schedule, "--set", "loss.stft_weight=2", "--show-recipe")
    tables = tomllib.loads(result.stdout)
    assert tables["curriculum"]["segment_s"] == [1.0, 2.0]
    assert tables["curriculum"]["epoch_ranges"] == ["1-2", "3-15"]
    assert tables["loss"]["stft_weight"] == 2.0


def test_without_codes_the_command_that_makes_them_is_named(tmp_path: Path) -> None:
    result = run("--phase", 12, "--artifacts", tmp_path, "--device", "cpu")
    assert result.exit_code == 1
    assert "snac-cache" in result.stderr


def test_an_interrupt_stops_a_run_and_its_worker_in_order(voices: Path, tmp_path: Path) -> None:
    place = ("--artifacts", tmp_path, "--codes", voices, "--run", "one", "--device", "cpu")
    longer = small_settings(curriculum__epochs="500", curriculum__epoch_ranges="1-2,3-500")
    log, metrics = tmp_path / "stderr", tmp_path / "runs/one/metrics.jsonl"
    process = killing.start(
        killing.TRAIN, ["--phase", 12, *place, "--workers", 1, *longer], log=log
    )
    while process.exitcode is None and not (metrics.exists() and "train" in metrics.read_text()):
        time.sleep(0.05)
    os.kill(int(process.pid or 0), signal.SIGINT)
    process.join()
    assert process.exitcode == 130, log.read_text()
    assert "Traceback" not in log.read_text()
    assert json.loads((tmp_path / "runs/one/run.json").read_text())["state"] == "stopped"
