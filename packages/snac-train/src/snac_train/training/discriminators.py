"""A run's discriminators: new ones, or those of another run to go on with."""

from collections.abc import Mapping
from pathlib import Path

import torch

from snac_common.artifacts import BEST_FOLDERS, Artifacts
from snac_common.errors import Failure
from snac_model.discriminators import Discriminators, load_discriminators
from snac_model.discriminators.files import CONFIG
from snac_train.recipe.heads import judged_heads
from snac_train.recipe.tables import Recipe
from snac_train.training.adversary import config_of


def make_discriminators(recipe: Recipe) -> Discriminators | None:
    """Return the discriminators that a recipe asks for; None if it asks for none.

    Raises:
        Failure: if it starts from some that are not there, or are of another kind.
    """
    if not judged_heads(recipe):
        return None
    config = config_of(recipe)
    start = recipe.adversarial.start
    if not start:
        return Discriminators(config, seed=recipe.data.seed)
    found = load_discriminators(_folder(start))
    if found.config != config:
        raise Failure(
            f"the discriminators of {start} are {found.config.to_dict()}, and the recipe asks for "
            f"{config.to_dict()}: set the fields of [adversarial] as they are there"
        )
    return found


def restore_discriminators(
    discriminators: Discriminators, weights: Mapping[str, torch.Tensor]
) -> None:
    """Give discriminators the weights that a checkpoint has kept.

    Raises:
        Failure: if those are of others.
    """
    try:
        discriminators.load_state_dict(weights)
    except RuntimeError as error:
        raise Failure(
            "the checkpoint's discriminators are others than those that the recipe asks for now: "
            "leave heads, periods, windows, bands and channels of [adversarial] as they were, or "
            "start a new run from this one's best model (--phase refine --base)"
        ) from error


def bytes_of_discriminators(recipe: Recipe) -> int:
    """Return the size of the weights of the discriminators that a recipe asks for."""
    if not judged_heads(recipe):
        return 0
    with torch.device("meta"):
        return sum(weight.nbytes for weight in Discriminators(config_of(recipe)).parameters())


def _folder(start: str) -> Path:
    """Return the folder of discriminators that a name means: it itself, or a run's newest."""
    places = [Path(start)]
    if Path(start).name == start:
        places.append(Artifacts.of_command().run(start))
    folders = [place / name for place in places for name in ("", BEST_FOLDERS["last"])]
    for folder in folders:
        if (folder / CONFIG).is_file():
            return folder
    raise Failure(
        f"adversarial.start={start}: no discriminators are there. Name a run of --phase refine, or "
        f"a folder with {CONFIG}, such as snac-export --discriminators writes."
    )
