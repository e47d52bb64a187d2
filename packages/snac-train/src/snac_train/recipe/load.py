"""From the tables of a recipe to the recipe, with what the command line changes."""

from collections.abc import Iterable

from snac_common.errors import BadInput
from snac_train.recipe.consistency import check_consistent
from snac_train.recipe.files import Phase, Tables, packaged_tables
from snac_train.recipe.settings import build, override
from snac_train.recipe.tables import Recipe

Overrides = Iterable[tuple[str, str]]


def load_recipe(phase: Phase, overrides: Overrides = ()) -> Recipe:
    """Return a phase's recipe with ``(table.field, text)`` overrides applied in order.

    Raises:
        BadInput: if there is no such phase, or an override does not fit.
    """
    return recipe_of(packaged_tables(phase), overrides)


def recipe_of(tables: Tables, overrides: Overrides = ()) -> Recipe:
    """Return the recipe of TOML tables with overrides applied; raises BadInput as above."""
    tables = {name: dict(table) for name, table in tables.items()}
    for name, text in overrides:
        override(tables, name, text, Recipe)
    recipe = build(Recipe, tables)
    check_consistent(recipe)
    return recipe


def split_setting(setting: str) -> tuple[str, str]:
    """Split ``a.b=value``; raises BadInput if it is not of that form."""
    name, equals, text = setting.partition("=")
    if not equals:
        raise BadInput(f"--set {setting}: write it as table.field=value, loss.stft_weight=2")
    return name.strip(), text.strip()
