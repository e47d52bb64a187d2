"""Which run a command means, and which recipe."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from snac_common.artifacts import RECIPE, Artifacts
from snac_common.errors import BadInput
from snac_common.options import DEFAULT_MODEL
from snac_model.files.places import find_config
from snac_model.shapes.config import CodecConfig
from snac_model.shapes.geometry import Geometry
from snac_train.commands.which_run import run_folder
from snac_train.legacy.config import NO_CONFIG, LegacyConfig
from snac_train.recipe.consistency import check_consistent
from snac_train.recipe.files import Phase, Tables, file_tables, named_tables, packaged_tables
from snac_train.recipe.heads import HEADS
from snac_train.recipe.load import recipe_of
from snac_train.recipe.tables import Recipe


def choose_run(places: Artifacts, name: str | None) -> Path | None:
    """Return the folder of a new run; None if it has no name yet.

    Raises:
        BadInput: if the name is a path, or if several processes would each choose a name.
    """
    if name is not None:
        return run_folder(places, name)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise BadInput("several processes train together here: give them one --run NAME")
    return None


def choose_recipe(
    phase: Phase | None,
    file: Path | None,
    resumed: Path | None,
    overrides: Sequence[tuple[str, str]],
    config: LegacyConfig = NO_CONFIG,
) -> Recipe:
    """Return the recipe of a phase, of a file, or of the run that is resumed, with overrides.

    An earlier configuration comes before the overrides.

    Raises:
        BadInput: if none is given, or two are, or the run has no readable recipe.
    """
    if resumed is not None:
        if config.values or file:
            option = "--recipe" if file else "--config"
            raise BadInput(f"{option} is for a new run: one that is resumed has its own recipe")
        return recipe_of(_tables_of_run(resumed / RECIPE), overrides)
    if file is not None:
        if phase is not None:
            raise BadInput("give --phase or --recipe; a recipe may extend a phase")
        return recipe_of(config.over(named_tables(file)), overrides)
    if phase is None:
        raise BadInput(
            "say what to train: --phase 12 (both outputs), 11, 10 or base; --recipe small, for up "
            "to 1.5 hours of speech; --recipe FILE; or --resume to go on with a run"
        )
    return recipe_of(config.over(packaged_tables(phase)), overrides)


def with_heads_of_base(recipe: Recipe, codes: Path) -> Recipe:
    """Return the recipe with its base's own heads, if it names none.

    Args:
        codes: folder of the cached codes, which say what made them where no base is named.

    Raises:
        BadInput, Failure: if there is no such base, or it cannot have what the recipe asks for.
    """
    if recipe.model.heads:
        return recipe
    base = recipe.model.base
    if not base and recipe.data.codes == "cached":
        from snac_cache.store.code_store import CodeStore

        base = CodeStore(codes, "train").identity.model
    config = CodecConfig.read(find_config(base or DEFAULT_MODEL))
    rates = Geometry.of(config).output_rates
    heads = tuple(HEADS[rate] for rate in rates if rate in HEADS)
    whole = replace(recipe, model=replace(recipe.model, heads=heads))
    check_consistent(whole)
    return whole


def name_by_time(phase: Phase | None, file: Path | None) -> str:
    """Return a name for a run that was given none: after its recipe, and the time."""
    recipe = f"phase-{phase}"
    if file is not None:
        recipe = file.resolve().parent.name if file.name == RECIPE else file.stem
    return f"{recipe}-{datetime.now():%Y%m%d-%H%M%S}"


def _tables_of_run(path: Path) -> Tables:
    try:
        return file_tables(path)
    except BadInput as error:
        raise BadInput(
            f"{error}. To go on with this run, write its whole recipe anew: snac-train --phase ... "
            f"--set ... --show-recipe > {path}"
        ) from error
