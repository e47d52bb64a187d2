"""What is changed when a run goes on is what the steps use, or it is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from training import manifest_of, small_recipe
from whole_runs import metrics, run
from workplace import snapshot

from snac_common.errors import Failure
from snac_train.recipe.tables import Recipe
from snac_train.session.run_setup import Start
from snac_train.training.optimization import make_optimizer, make_schedule

WARMUP = 3  # steps
STEPS = {"checkpoint__every_steps": "1", "checkpoint__keep": "99"}


@pytest.fixture(scope="module")
def whole(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with a checkpoint of every step: 3 of warm-up, then 3, 2 and 2 of main."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(small_recipe(**STEPS), voices, folder)
    return folder


@pytest.fixture
def resume(whole: Path, voices: Path, tmp_path: Path) -> Callable[..., Path]:
    """Go on from a step of a copy of the run with some settings changed; returns its folder."""

    def go_on(step: int, **changed: str) -> Path:
        folder = tmp_path / "run"
        shutil.copytree(whole, folder)
        checkpoint = folder / f"checkpoints/step-{step:08d}"
        tables = {name.partition("__")[0] for name in changed}
        start = Start(resume=True, checkpoint=checkpoint, allow_changed=tuple(tables))
        run(small_recipe(**{**STEPS, **changed}), voices, folder, start=start)
        return folder

    return go_on


def rates(folder: Path, group: str) -> dict[int, float]:
    """Return a group's logged rate at each step that trained it."""
    name = f"lr/{group}"
    return {line["step"]: line[name] for line in metrics(folder, "train") if name in line}


def planned(recipe: Recipe, peak: float, steps: int) -> list[float]:
    """Return the rate of each step of a main stage, by torch's own schedule."""
    group = {"trunk": [torch.nn.Parameter(torch.zeros(1))]}
    optimizer = make_optimizer(group, {"trunk": peak}, recipe.optimizer)
    schedule: LRScheduler = make_schedule("main", optimizer, steps, recipe.schedule)
    assert isinstance(schedule, OneCycleLR)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_a_changed_rate_is_the_rate_of_the_steps(resume: Callable[..., Path], whole: Path) -> None:
    steps = max(rates(whole, "trunk"))
    folder = resume(WARMUP + 2, optimizer__main_lr="1e-5")
    expected = planned(small_recipe(), 1e-5, steps - WARMUP)
    measured = rates(folder, "trunk")
    for step in range(WARMUP + 3, steps + 1):
        assert measured[step] == pytest.approx(expected[step - WARMUP - 1], rel=1e-9)
    assert measured[WARMUP + 2] == rates(whole, "trunk")[WARMUP + 2]


def test_a_changed_rate_changes_the_weights(resume: Callable[..., Path], whole: Path) -> None:
    folder = resume(8, optimizer__main_lr="1e-12", optimizer__head_24k_lr="1e-12")
    states = [
        json.loads((run / "checkpoints/step-00000009/state.json").read_text())
        for run in (folder, whole)
    ]
    assert states[0] != states[1]
    before, after = (
        torch.load(folder / f"checkpoints/step-{step:08d}/players/decoder.pt", weights_only=True)[
            "weights"
        ][0]["exp_avg"]
        for step in (8, 9)
    )
    assert not before.equal(after)


def test_a_changed_decay_is_used(resume: Callable[..., Path], whole: Path) -> None:
    folder = resume(8, optimizer__weight_decay="0.9")
    for name in ("checkpoints/step-00000009", "best"):
        ours, theirs = ((place / name / "model.safetensors") for place in (folder, whole))
        assert ours.read_bytes() != theirs.read_bytes()


def test_nothing_changed_is_the_same_run(resume: Callable[..., Path], whole: Path) -> None:
    folder = resume(6)
    for path in sorted(whole.glob("checkpoints/step-*/model.safetensors")):
        assert (folder / path.relative_to(whole)).read_bytes() == path.read_bytes()


def test_an_epoch_that_has_begun_keeps_its_batches(resume: Callable[..., Path]) -> None:
    with pytest.raises(Failure, match=r"epoch 2 has begun \(1 of 3 steps\).*batch size 2 -> 1"):
        resume(4, curriculum__batch_size="1")


@pytest.mark.parametrize("changed", ["curriculum__batch_size", "curriculum__warmup_epochs"])
def test_what_is_refused_leaves_the_run_as_it_was(
    whole: Path, voices: Path, tmp_path: Path, changed: str
) -> None:
    """So that it goes on without the setting that was refused."""
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    for checkpoint in folder.glob("checkpoints/step-*"):
        if checkpoint.name > "step-00000004":
            shutil.rmtree(checkpoint)
    before = snapshot(folder)
    recipe = small_recipe(**STEPS, **{changed: "3"})
    start = Start(resume=True, allow_changed=("curriculum",))
    with pytest.raises(Failure):
        run(recipe, voices, folder, start=start)
    assert snapshot(folder) == before
    run(small_recipe(**STEPS), voices, folder, start=Start(resume=True))
    for path in sorted(whole.glob("checkpoints/step-*/model.safetensors")):
        assert (folder / path.relative_to(whole)).read_bytes() == path.read_bytes()


def test_from_an_epochs_start_batches_may_change(resume: Callable[..., Path], whole: Path) -> None:
    """Each of the epoch's utterances is read once, and the schedule spans what is left."""
    folder = resume(6, curriculum__batch_size="1")
    lines = metrics(folder, "train")
    assert [line["epoch"] for line in lines][-6:] == [3, 3, 3, 4, 4, 4]
    assert lines[-1]["samples_seen"] == metrics(whole, "train")[-1]["samples_seen"]
    done = 6 - WARMUP
    expected = planned(small_recipe(), 2e-3, done + 6)
    measured = rates(folder, "trunk")
    assert [measured[step] for step in range(7, 13)] == pytest.approx(expected[done:], rel=1e-9)
    log = (folder / "train.log").read_text()
    assert "main was planned with 7 steps and has 9 now" in log


def test_more_epochs_are_said_to_raise_the_rate_and_do(
    resume: Callable[..., Path], whole: Path
) -> None:
    last = max(rates(whole, "trunk"))
    more = {"curriculum__epochs": "6", "curriculum__epoch_ranges": "1-2,3-6"}
    folder = resume(last, **more)
    expected = planned(small_recipe(), 2e-3, last - WARMUP + 4)
    measured = rates(folder, "trunk")
    assert measured[last + 1] == pytest.approx(expected[last - WARMUP], rel=1e-9)
    assert measured[last + 1] > measured[last]
    said = f"lr/trunk {measured[last + 1]:.3g}"
    assert said in (folder / "train.log").read_text()


def test_fewer_epochs_than_were_trained_are_refused(resume: Callable[..., Path]) -> None:
    with pytest.raises(Failure, match=r"in epoch 4, but curriculum\.epochs is 3 now"):
        resume(10, curriculum__epochs="3")


def score(folder: Path, name: str = "best") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / name / "score.json").read_text())
    return found


def test_the_best_model_of_a_course_that_was_left_is_set_aside(
    resume: Callable[..., Path], whole: Path
) -> None:
    assert score(whole)["step"] > 8
    folder = resume(8, optimizer__main_lr="1e-9", optimizer__head_24k_lr="1e-9")
    assert score(folder, "aside-best") == score(whole)
    steps = {line["step"]: line["loss"] for line in metrics(folder, "val")}
    assert steps[score(folder)["step"]] == score(folder)["score"]


def test_scores_of_another_validation_are_no_rivals(
    resume: Callable[..., Path], whole: Path
) -> None:
    folder = resume(9, validation__segment_s="0.2")
    assert score(folder, "aside-best")["step"] == score(whole)["step"]
    steps = {line["step"]: line["loss"] for line in metrics(folder, "val")}
    assert steps[score(folder)["step"]] == score(folder)["score"]


def test_the_run_and_its_manifest_are_where_they_are_said_to_be(whole: Path, voices: Path) -> None:
    assert json.loads((whole / "run.json").read_text())["manifest"] == manifest_of(voices)
