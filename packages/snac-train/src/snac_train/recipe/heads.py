"""The decoder's outputs by the names that recipes, metrics and folders call them."""

from typing import Literal

from snac_train.recipe.tables import Recipe

Head = Literal["24k", "48k"]

HEADS: dict[int, Head] = {24_000: "24k", 48_000: "48k"}
RATES: dict[str, int] = {head: rate for rate, head in HEADS.items()}


def head_start(recipe: Recipe) -> int:
    """Return the first steps of the main stage in which the discriminators alone are trained."""
    return recipe.adversarial.head_start if judged_heads(recipe) else 0


def judged_heads(recipe: Recipe) -> tuple[str, ...]:
    """Return the heads that the recipe has discriminators for."""
    if not recipe.adversarial.weight:
        return ()
    return tuple(head for head in recipe.model.heads if head in recipe.adversarial.heads)
