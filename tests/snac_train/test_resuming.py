"""Going on with a run: from where, with what changed, and what is refused."""

import json
import os
import signal
from pathlib import Path
from shutil import copytree
from typing import Any

import killing
import pytest
import torch
from click.testing import CliRunner, Result
from killing import Moment
from training import small_recipe
from whole_runs import arguments, metrics, run

from snac_common.processes import process_started
from snac_model import load
from snac_model.codec.dual_head import DualHeadSNAC
from snac_train.cli.train import main
from snac_train.data.segments import Batch
from snac_train.session.run_setup import Start
from snac_train.training.objective import Losses, Objective


def snac_train(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def stopped_once(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("stopped")
    moment = Moment("snac_train.training.stage:Stage.step", 6, number=signal.SIGTERM)
    log = root / "log"
    command = arguments(root, voices, "--resume", "auto")  # there is no such run: it starts
    assert killing.run(command, moment, log=log) == 143, log.read_text()
    return root


@pytest.fixture
def stopped(stopped_once: Path, tmp_path: Path) -> Path:
    """The artifact root of a run that was stopped after its sixth step, a copy to change."""
    return copytree(stopped_once, tmp_path, dirs_exist_ok=True)


def state(root: Path) -> dict[str, Any]:
    return json.loads((root / "runs/one/run.json").read_text())


def place(root: Path, codes: Path) -> list[object]:
    return ["--artifacts", root, "--codes", codes, "--device", "cpu", "--resume"]


@pytest.mark.campaign
def test_a_run_is_resumed_by_its_name_alone(stopped: Path, voices: Path) -> None:
    result = snac_train(*place(stopped, voices), "--run", "one")
    assert result.exit_code == 0, result.stderr
    assert "going on after step 6" in result.stderr
    assert state(stopped)["state"] == "finished"


def test_the_command_that_started_a_run_goes_on_with_it(stopped: Path, voices: Path) -> None:
    """As a scheduler gives it again, with all that the run was started with."""
    result = snac_train(*arguments(stopped, voices, "--resume", "auto"))
    assert result.exit_code == 0, result.stderr
    assert "going on after step 6" in result.stderr
    assert state(stopped)["state"] == "finished"


def test_what_goes_on_by_itself_needs_a_name(tmp_path: Path) -> None:
    refused = snac_train("--phase", 12, "--artifacts", tmp_path, "--resume", "auto")
    assert refused.exit_code == 2
    assert "--resume auto: say which run is to start or to go on, by --run NAME" in refused.stderr


def test_without_a_name_the_run_that_wrote_last_is_resumed(stopped: Path, voices: Path) -> None:
    (stopped / "runs/older").mkdir()
    (stopped / "runs/older/recipe.toml").touch()
    os.utime(stopped / "runs/one/run.json")
    result = snac_train(*place(stopped, voices), "--show-recipe")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == (stopped / "runs/one/recipe.toml").read_text()


def test_a_checkpoint_is_a_model(stopped: Path) -> None:
    assert isinstance(load(stopped / "runs/one/checkpoints/step-00000006"), DualHeadSNAC)


def test_a_recipe_that_differs_is_shown(stopped: Path, voices: Path) -> None:
    changed = ["--main-lr", "1e-3", "--epochs", "3", "--epoch-ranges", "1-2,3-4"]
    result = snac_train(*place(stopped, voices), *changed)
    assert result.exit_code == 1
    assert "curriculum.epochs: 4 -> 3" in result.stderr
    assert "optimizer.main_lr: 0.002 -> 0.001" in result.stderr
    assert "epoch_ranges" not in result.stderr
    assert state(stopped)["state"] == "stopped"
    allowed = ["--allow-changed", "curriculum.epochs"]
    result = snac_train(*place(stopped, voices), *changed, *allowed)
    assert result.exit_code == 1
    assert "curriculum.epochs" not in result.stderr


def test_another_base_or_other_data_is_shown(stopped: Path, voices: Path) -> None:
    result = snac_train(*place(stopped, voices), "--limit", "4")
    assert result.exit_code == 1
    assert "data.limit: 0 -> 4" in result.stderr
    assert "data.train_utterances: 6 -> 4" in result.stderr


def test_another_condition_on_the_data_is_shown(stopped: Path, voices: Path) -> None:
    result = snac_train(*place(stopped, voices), "--set", "data.where=duration_s > 0.5")
    assert result.exit_code == 1
    assert "data.where: '' -> 'duration_s > 0.5'" in result.stderr
    assert "data.train_utterances: 6 -> " in result.stderr
    assert 'where = ""' in recipe(stopped)


def test_what_is_allowed_may_change(stopped: Path, voices: Path) -> None:
    """More epochs: the schedule spans the longer stage from here on, without a jump upwards."""
    more = ["--epochs", "6", "--epoch-ranges", "1-2,3-6", "--allow-changed", "curriculum"]
    result = snac_train(*place(stopped, voices), *more)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["epochs"] == 6
    assert 'epoch_ranges = [\n    "1-2",\n    "3-6",' in recipe(stopped)


def test_a_stage_is_not_put_where_another_was(stopped: Path, voices: Path) -> None:
    longer = ["--warmup-epochs", "3", "--allow-changed", "curriculum"]
    result = snac_train(*place(stopped, voices), *longer)
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert "main stage, after which there is no warm-up" in result.stderr


def recipe(root: Path) -> str:
    return (root / "runs/one/recipe.toml").read_text()


def test_a_finished_run_stays_as_it_is(stopped: Path, voices: Path) -> None:
    first = snac_train(*place(stopped, voices))
    before = {
        path: path.stat().st_mtime_ns
        for path in stopped.glob("runs/one/**/*")
        if path.is_file() and path.name != ".alive"  # which says that somebody is at work there
    }
    again = snac_train(*place(stopped, voices))
    assert again.exit_code == 0, again.stderr
    assert json.loads(again.stdout) == json.loads(first.stdout)
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_a_chosen_checkpoint_leaves_the_later_ones_aside(stopped: Path, voices: Path) -> None:
    checkpoints = stopped / "runs/one/checkpoints"
    assert [path.name[-1] for path in sorted(checkpoints.iterdir())] == ["3", "4", "6"]
    result = snac_train(*place(stopped, voices), checkpoints / "step-00000004")
    assert result.exit_code == 0, result.stderr
    assert "going on after step 4" in result.stderr
    assert "aside-step-00000006" in result.stderr
    assert (checkpoints / "aside-step-00000006").is_dir()


def test_a_damaged_checkpoint_is_passed_over(stopped: Path, voices: Path) -> None:
    checkpoints = stopped / "runs/one/checkpoints"
    os.truncate(checkpoints / "step-00000006/players/decoder.pt", 100)
    result = snac_train(*place(stopped, voices))
    assert result.exit_code == 0, result.stderr
    assert "step-00000006 is damaged (players/decoder.pt has 100 bytes" in result.stderr
    assert "going on after step 4" in result.stderr


def test_a_damaged_checkpoint_that_was_asked_for_is_refused(stopped: Path, voices: Path) -> None:
    checkpoint = stopped / "runs/one/checkpoints/step-00000004"
    (checkpoint / "state.json").write_text("{}")
    result = snac_train(*place(stopped, voices), checkpoint)
    assert result.exit_code == 1
    assert "state.json has 2 bytes" in result.stderr


def test_a_run_that_is_being_trained_is_left_alone(stopped: Path, voices: Path) -> None:
    path = stopped / "runs/one/run.json"
    alive = state(stopped) | {
        "state": "running",
        "pid": os.getpid(),
        "process_started": process_started(os.getpid()),
    }
    path.write_text(json.dumps(alive))
    result = snac_train(*place(stopped, voices))
    assert result.exit_code == 1
    assert f"process {os.getpid()} is training" in result.stderr
    path.write_text(json.dumps(alive | {"process_started": 1}))  # the number was given anew
    assert snac_train(*place(stopped, voices)).exit_code == 0


def test_a_damaged_state_is_refused_and_may_be_removed(stopped: Path, voices: Path) -> None:
    path = stopped / "runs/one/run.json"
    path.write_text('{"state": "running"}')
    result = snac_train(*place(stopped, voices))
    assert result.exit_code == 1
    assert f"{path} is damaged: it has no 'pid'" in result.stderr
    assert "remove the file" in result.stderr
    path.unlink()
    result = snac_train(*place(stopped, voices))
    assert result.exit_code == 0, result.stderr
    assert state(stopped)["state"] == "finished"


@pytest.mark.parametrize("text", ["", "[data]\nseed = 0\n", "data = 3", "\xff\x00"])
def test_a_damaged_recipe_is_refused(stopped: Path, voices: Path, text: str) -> None:
    path = stopped / "runs/one/recipe.toml"
    path.write_bytes(text.encode("latin-1"))
    result = snac_train(*place(stopped, voices))
    assert result.exit_code == 2
    assert str(path) in result.stderr
    assert "--show-recipe" in result.stderr


def test_metrics_that_have_shrunk_are_not_added_to(stopped: Path, voices: Path) -> None:
    os.truncate(stopped / "runs/one/metrics.jsonl", 10)
    result = snac_train(*place(stopped, voices))
    assert result.exit_code == 1
    assert "has 10 bytes, fewer than" in result.stderr


@pytest.mark.parametrize("words", [[], ["--run", "other"]])
def test_without_a_run_there_is_nothing_to_resume(tmp_path: Path, words: list[str]) -> None:
    result = snac_train("--artifacts", tmp_path, "--resume", *words)
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr


def test_a_run_goes_on_from_an_epoch_that_was_kept(voices: Path, tmp_path: Path) -> None:
    keep = [
        "--set",
        "curriculum.epochs=2",
        "--set",
        "checkpoint.keep_epochs=true",
        "--set",
        "checkpoint.keep=1",
    ]
    assert snac_train(*arguments(tmp_path, voices, *keep)).exit_code == 0
    folder = tmp_path / "runs/one/checkpoints"
    assert [path.name for path in sorted(folder.glob("epoch-*"))] == [
        f"epoch-{number:03}" for number in (1, 2)
    ]
    result = snac_train(*place(tmp_path, voices), folder / "epoch-001")
    assert result.exit_code == 0, result.stderr
    assert "in epoch 1" in result.stderr


def test_what_is_drawn_goes_on_where_it_was(
    voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For decoders and losses that draw from torch's own generator; none here does."""
    compare = Objective.compare

    def shaken(self: Objective, outputs: Losses, batch: Batch) -> Losses:
        losses = compare(self, outputs, batch)
        if torch.is_grad_enabled():
            losses["loss"] = losses["loss"] * (1 + 0.1 * torch.rand(()))
        return losses

    monkeypatch.setattr(Objective, "compare", shaken)
    often = {"checkpoint__every_steps": "1", "checkpoint__keep": "99", "curriculum__epochs": "2"}
    recipe, folder = small_recipe(**often), tmp_path / "run"
    run(recipe, voices, folder)
    whole = [line["loss"] for line in metrics(folder, "train")]
    start = Start(resume=True, checkpoint=folder / "checkpoints/step-00000002")
    run(recipe, voices, folder, start=start)
    assert [line["loss"] for line in metrics(folder, "train")] == whole
