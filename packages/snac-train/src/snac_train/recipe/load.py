"""Reading a recipe: a phase's own, or a file's, with what the command line changes."""

import tomllib
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

from snac_common.errors import BadInput
from snac_train.recipe.consistency import check_consistent
from snac_train.recipe.settings import build, override
from snac_train.recipe.tables import Recipe

Tables = dict[str, dict[str, Any]]
Phase = int | str
Overrides = Iterable[tuple[str, str]]

FIRST_RATE = "optimizer.lr"  # the rate of the first stage: warm-up's, or main's where there is none


def load_recipe(phase: Phase, overrides: Overrides = ()) -> Recipe:
    """Return a phase's recipe with ``(table.field, text)`` overrides applied in order.

    Raises:
        BadInput: if there is no such phase, or an override does not fit.
    """
    return recipe_of(packaged_tables(phase), overrides)


def recipe_of(tables: Tables, overrides: Overrides = ()) -> Recipe:
    """Return the recipe of TOML tables with overrides applied; raises BadInput as above."""
    tables = {name: dict(table) for name, table in tables.items()}
    named = dict(overrides)
    first_rate = named.pop(FIRST_RATE, None)
    for name, text in named.items():
        override(tables, name, text, Recipe)
    recipe = build(Recipe, tables)
    if first_rate is not None:
        stage = "warmup" if recipe.curriculum.warmup_epochs else "main"
        override(tables, f"optimizer.{stage}_lr", first_rate, Recipe)
        recipe = build(Recipe, tables)
    check_consistent(recipe)
    return recipe


def split_setting(setting: str) -> tuple[str, str]:
    """Split ``a.b=value``; raises BadInput if it is not of that form."""
    name, equals, text = setting.partition("=")
    if not equals:
        raise BadInput(f"--set {setting}: write it as table.field=value, loss.stft_weight=2")
    return name.strip(), text.strip()


def read_recipe(path: Path) -> Tables:
    """Read a recipe's TOML tables; raises BadInput if the file holds none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read the recipe {path}: {error}") from error


def packaged_tables(phase: Phase) -> Tables:
    """Return the tables of a phase's recipe; raises BadInput if there is no such phase."""
    folder = resources.files("snac_train.recipe") / "phases"
    recipe = folder / f"{phase}.toml"
    if not recipe.is_file():
        present = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
        phases = ", ".join(name.removesuffix(".toml") for name in present)
        raise BadInput(f"--phase {phase}: there is no recipe for it; there is one for {phases}")
    return tomllib.loads(recipe.read_text(encoding="utf-8"))
