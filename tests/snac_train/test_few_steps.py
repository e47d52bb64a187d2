"""A plan that is too short to learn from is said to be so, with words that make it long enough."""

import shlex
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training import manifest_of
from workplace import run

from snac_model.shapes.config import SNAC_24KHZ
from snac_model.shapes.geometry import Geometry
from snac_train.recipe.advice import FURTHEST, USUAL_STEPS, too_few_steps
from snac_train.recipe.curriculum import plan_epochs, stage_steps
from snac_train.recipe.load import load_recipe
from snac_train.recipe.tables import Recipe

GEOMETRY = Geometry.of(SNAC_24KHZ)
FIELDS = {
    "--batch-size": "batch_size",
    "--epochs": "epochs",
    "--epoch-ranges": "epoch_ranges",
    "--segment-schedule": "segment_s",
    "--batch-multiplier": "batch_multiplier",
}


def advice(recipe: Recipe, utterances: int, seconds: float = 4.5) -> str | None:
    epochs = plan_epochs(recipe.curriculum, GEOMETRY, utterances)
    return too_few_steps(recipe, epochs, utterances, utterances * seconds / 3600)


def test_phase_12_on_forty_files_is_too_short() -> None:
    said = advice(load_recipe(12), 40)
    assert said is not None
    assert "14 main steps" in said
    assert "--recipe small" in said


def test_small_batches_are_not_answered_with_the_recipe_for_small_batches() -> None:
    said = advice(load_recipe("small", [("curriculum.epochs", "6")]), 40)
    assert said is not None
    assert "--recipe" not in said
    assert "--batch-size 4 --epochs " in said


def test_much_speech_is_enough() -> None:
    assert advice(load_recipe(12), 100_000) is None
    assert advice(load_recipe(10), 100_000) is None


@settings(max_examples=60)
@given(st.sampled_from([10, 11, 12]), st.integers(1, 200_000), st.sampled_from([1.0, 5.0, 60.0]))
def test_what_is_proposed_is_long_enough(phase: int, utterances: int, seconds: float) -> None:
    said = advice(load_recipe(phase), utterances, seconds)
    if said is None:
        return
    words = shlex.split(said.partition(" give ")[2].removesuffix(" in place of --phase 12"))
    given_options = dict(zip(words[::2], words[1::2], strict=True))
    name = given_options.pop("--recipe", str(phase))
    options = [(f"curriculum.{FIELDS[flag]}", text) for flag, text in given_options.items()]
    proposed = load_recipe(name, options)
    plan = plan_epochs(proposed.curriculum, GEOMETRY, utterances)
    moved = stage_steps(plan, "main") * proposed.optimizer.main_lr
    assert stage_steps(plan, "main") >= 0.8 * USUAL_STEPS or moved >= 0.5 * FURTHEST


def test_a_batch_is_no_larger_than_there_are_utterances() -> None:
    plan = plan_epochs(load_recipe(12).curriculum, GEOMETRY, 40)
    assert {epoch.batch_size for epoch in plan} == {40}
    assert {epoch.steps for epoch in plan} == {1}


@pytest.mark.parametrize("more", [["--preflight"], ["--epochs", 1, "--epoch-ranges", "1"]])
def test_the_command_says_it_before_it_trains(
    voices: Path, tmp_path: Path, more: list[object]
) -> None:
    place = ["--artifacts", tmp_path, "--codes", voices, "--manifest", manifest_of(voices)]
    place += ["--device", "cpu", "--run", "one", "--phase", 12, "--warmup-epochs", 0]
    tiny = ["--segment-schedule", "0.2", "--batch-multiplier", 1]
    result = run("snac_train.cli.train", *place, *tiny, "--set", "validation.limit=1", *more)
    assert result.exit_code == 0, result.stderr
    said = " ".join(result.stderr.split())
    assert "too few to learn from" in said
    assert "--recipe small" in said


def test_small_is_a_recipe_by_name(tmp_path: Path) -> None:
    result = run("snac_train.cli.train", "--recipe", "small", "--show-recipe")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == load_recipe("small").to_toml()
    longer = run("snac_train.cli.train", "--recipe", "small", "--epochs", 90, "--show-recipe")
    assert longer.exit_code == 0, longer.stderr
    missing = run("snac_train.cli.train", "--recipe", "smal", "--show-recipe")
    assert missing.exit_code == 2
    assert "small" in missing.stderr
