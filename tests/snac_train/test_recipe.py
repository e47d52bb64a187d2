"""Recipes: the numbers of phase 12, overrides, and what is refused."""

import tomllib
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workplace import run

from snac_common.errors import BadInput
from snac_train.cli.options import RECIPE_OPTIONS
from snac_train.recipe.load import load_recipe
from snac_train.recipe.settings import build, fields_of
from snac_train.recipe.tables import Recipe


def test_phase_12_has_the_numbers_of_the_design() -> None:
    recipe = load_recipe(12)
    assert (recipe.curriculum.epochs, recipe.curriculum.warmup_epochs) == (15, 1)
    assert recipe.optimizer.warmup_lr == 2e-4
    assert (recipe.optimizer.main_lr, recipe.optimizer.head_24k_lr) == (5e-5, 1e-5)
    assert (recipe.optimizer.weight_decay, recipe.optimizer.clip) == (1e-4, 1.0)
    assert recipe.schedule.peak_factor == 1.0
    assert recipe.curriculum.epoch_ranges == ("1-2", "3-4", "5-6", "7-15")
    assert recipe.curriculum.segment_s == (1.0, 2.0, 3.0, 4.0)
    assert recipe.curriculum.batch_size == 96
    assert recipe.curriculum.batch_multiplier == (2.0, 1.0, 0.6, 0.45)
    assert (recipe.loss.weight_24k, recipe.loss.weight_48k) == (0.3, 1.0)
    assert recipe.loss.fft_sizes_24k == (1024, 2048, 4096)
    assert recipe.loss.fft_sizes_48k == (1024, 2048, 4096, 8192)


def test_a_recipe_reads_back_from_its_toml() -> None:
    recipe = load_recipe(12, [("model.base", 'a "b"\\c'), ("optimizer.clip", "3")])
    assert build(Recipe, tomllib.loads(recipe.to_toml())) == recipe


@pytest.mark.parametrize("option", RECIPE_OPTIONS, ids=lambda option: option.flag)
def test_an_option_overrides_the_field_it_names(option: object) -> None:
    assert option.field in fields_of(Recipe)  # type: ignore[attr-defined]


def test_a_learning_rate_is_asked_for_by_its_stage() -> None:
    result = run("snac_train.cli.train", "--phase", 12, "--lr", "1e-3", "--show-recipe")
    assert result.exit_code == 2
    assert "--main-lr 1e-3" in result.stderr
    assert "--warmup-lr 1e-3" in result.stderr
    shown = run("snac_train.cli.train", "--phase", 12, "--warmup-lr", "1e-3", "--show-recipe")
    assert tomllib.loads(shown.stdout)["optimizer"]["warmup_lr"] == 1e-3


@pytest.mark.parametrize("phase", ["10", "11", "12", "base"])
def test_every_recipe_saves_within_long_epochs(phase: str) -> None:
    kept = load_recipe(phase).checkpoint
    assert (kept.every_steps, kept.keep_epochs) == (5000, False)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("curriculum.epochs", "3", 3),
        ("curriculum.segment_s", "1.0, 2", (1.0, 2.0)),
        ("curriculum.segment_s", "[1, 2.5]", (1.0, 2.5)),
        ("curriculum.epoch_ranges", "1-2,3", ("1-2", "3")),
        ("curriculum.epoch_ranges", "['1-4']", ("1-4",)),
        ("model.base", "some/model", "some/model"),
        ("model.base", "'quoted'", "quoted"),
        ("model.base", "12", "12"),
        ("data.context", "false", False),
        ("optimizer.main_lr", "1e-4", 1e-4),
        ("loss.stft_weight", "2", 2.0),
    ],
)
def test_an_override_changes_its_field_alone(name: str, text: str, value: object) -> None:
    table, field = name.split(".")
    expected = asdict(load_recipe(12))
    expected[table][field] = value
    assert asdict(load_recipe(12, [(name, text)])) == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("loss.sfft_weight", "1", "nearest is 'loss.stft_weight'"),
        ("los.stft_weight", "1", "nearest is 'loss.stft_weight'"),
        ("stft_weight", "1", "nearest is 'loss.stft_weight'"),
        ("curriculum.epochs", "2.5", "whole number"),
        ("curriculum.epochs", "true", "whole number"),
        ("curriculum.epochs", "0", "at least 1"),
        ("curriculum.segment_s", "1,x", "must be a number"),
        ("optimizer.main_lr", "nan", "at least 0"),
        ("optimizer.main_lr", "-1", "at least 0"),
        ("schedule.pct_start", "2", "from 0 to 1"),
        ("data.context", "yes", "true or false"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_hint(name: str, text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        load_recipe(12, [(name, text)])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("optimizer.main_lr", "inf", "cannot be inf"),
        ("validation.segment_s", "nan", "cannot be nan"),
        ("curriculum.segment_s", "[1.0, inf]", "cannot be inf"),
        ("loss.fft_sizes_24k", "[]", "sizes of windows"),
        ("loss.mel_windows", "1", "4 samples or more"),
    ],
)
def test_numbers_that_no_run_could_use_are_refused(name: str, text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        load_recipe(12, [(name, text)])


def test_unknown_and_missing_tables_are_refused() -> None:
    tables = tomllib.loads(load_recipe(12).to_toml())
    with pytest.raises(BadInput, match="nearest is 'loss'"):
        build(Recipe, {**tables, "losses": {}})
    del tables["loss"]
    with pytest.raises(BadInput, match="lacks loss"):
        build(Recipe, tables)


FIELDS = list(fields_of(Recipe))
VALUES = (
    st.text()
    | st.integers().map(str)
    | st.floats().map(str)
    | st.lists(st.integers() | st.floats() | st.text() | st.lists(st.integers())).map(str)
    | st.sampled_from(["true", "[]", "{a = 1}", "2020-01-01", "''", "24k", "1e400", "0x10", "1_0"])
)


@settings(max_examples=500)
@given(st.sampled_from(FIELDS), VALUES)
def test_any_value_of_any_field_is_understood_or_refused(name: str, text: str) -> None:
    """What is understood is of the field's type, and reads back from the run's own file."""
    try:
        recipe = load_recipe(12, [(name, text)])
    except BadInput:
        return
    assert build(Recipe, tomllib.loads(recipe.to_toml())) == recipe
    hash(recipe)  # lists have become tuples
