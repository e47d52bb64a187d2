"""From the tables of a recipe to the recipe, with what the command line changes."""

from collections.abc import Iterable

from snac_common.errors import BadInput
from snac_train.recipe.consistency import check_consistent
from snac_train.recipe.files import Phase, Tables, packaged_tables
from snac_train.recipe.settings import build, override
from snac_train.recipe.tables import Recipe

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
