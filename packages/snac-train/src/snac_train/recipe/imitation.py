"""Whether a stage learns from another decoder's audio."""

from snac_train.recipe.curriculum import StageName
from snac_train.recipe.tables import Recipe


def imitates(recipe: Recipe, stage: StageName) -> bool:
    """Say whether what a stage learns is the teacher's output, not the reference audio."""
    return stage == "warmup" and recipe.model.decoder == "fourier"
