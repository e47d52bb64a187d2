"""Recipes in files: a user's own, those of runs, and those that extend another."""

import tomllib
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from training import SMALL_RECIPE
from whole_runs import settings
from workplace import run, succeed

from snac_common.errors import BadInput
from snac_train.recipe.files import file_tables, merged
from snac_train.recipe.load import load_recipe, recipe_of

SHOWN = "--show-recipe"
TABLES = st.dictionaries(
    st.sampled_from("abc"), st.dictionaries(st.sampled_from("xyz"), st.integers()), max_size=3
)


def shown(*arguments: object) -> dict[str, Any]:
    result = run("snac_train.cli.train", *arguments, SHOWN)
    assert result.exit_code == 0, result.stderr
    return tomllib.loads(result.stdout)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_file_says_where_it_differs_from_a_phase(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.toml", 'extends = "11"\n[loss]\nstft_weight = 2.0\n')
    expected = asdict(load_recipe(11, [("loss.stft_weight", "2")]))
    assert asdict(recipe_of(file_tables(path))) == expected


def test_a_file_extends_one_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "first.toml", 'extends = "12"\n[loss]\nstft_weight = 2.0\nl1_weight = 3.0\n')
    path = write(tmp_path / "second.toml", 'extends = "first.toml"\n[loss]\nl1_weight = 4.0\n')
    loss = recipe_of(file_tables(path)).loss
    assert (loss.stft_weight, loss.l1_weight) == (2.0, 4.0)


def test_the_command_takes_a_file_and_options_override_it(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.toml", "extends = 12\n[curriculum]\nepochs = 3\n")
    tables = shown("--recipe", path, "--set", "loss.stft_weight=2")
    assert (tables["curriculum"]["epochs"], tables["loss"]["stft_weight"]) == (3, 2.0)
    assert "extends" not in tables, "it is resolved"


def test_the_recipe_of_a_run_starts_another(voices: Path, tmp_path: Path) -> None:
    place = ("--artifacts", tmp_path, "--codes", voices, "--device", "cpu")
    once = settings(SMALL_RECIPE | {"curriculum.epochs": "1", "curriculum.warmup_epochs": "0"})
    succeed("snac_train.cli.train", "--phase", 12, "--run", "one", *place, *once)
    recipe = tmp_path / "runs/one/recipe.toml"
    ready = succeed("snac_train.cli.train", "--recipe", recipe, "--preflight", *place)
    assert Path(ready["run"]).name.startswith("one-")
    succeed("snac_train.cli.train", "--recipe", recipe, "--run", "two", *place)
    assert (tmp_path / "runs/two/recipe.toml").read_bytes() == recipe.read_bytes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('extends = "13"\n', "13"),
        ('extends = "absent.toml"\n', "absent.toml"),
        ('extends = "mine.toml"\n', "extends itself"),
        ("extends = true\n", "extends"),
        ('extends = "12"\ndata = 3\n', "data must be a table"),
        ('extends = "12"\n[data]\nsed = 3\n', "nearest is 'data.seed'"),
        ('extends = "12"\n[data]\nseed = "x"\n', "whole number"),
        ("", "lacks data.seed"),
        ("[", "cannot read"),
    ],
)
def test_a_file_that_does_not_fit_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "mine.toml", text)
    with pytest.raises(BadInput, match=message) as caught:
        file_tables(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("phase", ["mine", "../12", "./12", "phases/12", "", "{absolute}"])
def test_a_phase_is_a_name_and_no_path(tmp_path: Path, phase: str) -> None:
    write(tmp_path / "mine.toml", load_recipe(12).to_toml())
    result = run("snac_train.cli.train", "--phase", phase.format(absolute=tmp_path / "mine"), SHOWN)
    assert result.exit_code == 2
    assert "there is one for 10, 11, 12, base" in result.stderr
    assert "--recipe" in result.stderr


@pytest.mark.parametrize("words", [["--phase", "12"], ["--resume"]])
def test_only_one_thing_says_which_recipe(tmp_path: Path, words: list[str]) -> None:
    path = write(tmp_path / "mine.toml", load_recipe(12).to_toml())
    write_run = tmp_path / "runs/one"
    write_run.mkdir(parents=True)
    write(write_run / "recipe.toml", load_recipe(12).to_toml())
    result = run("snac_train.cli.train", *words, "--recipe", path, "--artifacts", tmp_path, SHOWN)
    assert result.exit_code == 2
    assert "--recipe" in result.stderr


def test_phases_that_extend_another_say_only_what_differs() -> None:
    for file in (resources.files("snac_train.recipe") / "phases").iterdir():
        own = tomllib.loads(file.read_text())
        if (base := own.pop("extends", None)) is None:
            continue
        other = asdict(load_recipe(base))
        for table, values in own.items():
            for name, value in values.items():
                told = tuple(value) if isinstance(value, list) else value
                assert told != other[table][name], (file.name, table, name)


@given(TABLES, TABLES)
def test_what_extends_overrides_field_by_field(
    base: dict[str, dict[str, int]], over: dict[str, dict[str, int]]
) -> None:
    result = merged(base, over)
    assert result.keys() == base.keys() | over.keys()
    for name, table in result.items():
        assert table == base.get(name, {}) | over.get(name, {})
