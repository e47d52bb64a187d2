"""Whether a plan takes enough steps to learn anything, and what would."""

import math
from collections.abc import Sequence

from snac_train.recipe.curriculum import Epoch, stage_steps
from snac_train.recipe.heads import head_start, judged_heads
from snac_train.recipe.tables import Recipe

USUAL_STEPS = 1000  # of the main stage, from which on nothing is said
# Steps times rate, which is how far AdamW moves a weight: what USUAL_STEPS come to in phase 12.
FURTHEST = 0.05
SMALL, SMALL_BATCH, SMALL_HOURS = "small", 4, 1.5  # the recipe, and up to how much speech it is for


def too_few_steps(
    recipe: Recipe, epochs: Sequence[Epoch], utterances: int, hours: float
) -> str | None:
    """Say that a plan is too short to learn from, and what to give in its place; None if it is not.

    Args:
        utterances: that are trained on.
        hours: how long they are together.
    """
    steps = stage_steps(epochs, "main") - head_start(recipe)
    rate = recipe.optimizer.main_lr * recipe.schedule.peak_factor
    if steps <= 0 or steps >= USUAL_STEPS or steps * rate >= FURTHEST:
        return None
    return (
        f"{steps} main steps at a learning rate of at most {rate:g} are too few to learn from: "
        f"{USUAL_STEPS:,} and more are usual. For these {utterances:,} utterances ({hours:.2g} "
        f"hours) give {_enough(recipe, epochs, utterances, hours)}"
    )


def _enough(recipe: Recipe, epochs: Sequence[Epoch], utterances: int, hours: float) -> str:
    """Return the options of a plan that is long enough."""
    both = set(recipe.model.heads) == {"24k", "48k"}
    large = recipe.curriculum.batch_size > SMALL_BATCH
    if hours <= SMALL_HOURS and both and large and not judged_heads(recipe):
        return f"--recipe {SMALL} in place of --phase 12"
    wanted = USUAL_STEPS + head_start(recipe)
    steps = stage_steps(epochs, "main")
    batch = max(SMALL_BATCH, int(recipe.curriculum.batch_size * steps / wanted))
    main = recipe.curriculum.epochs - recipe.curriculum.warmup_epochs
    needed = math.ceil(wanted / max(1, main * math.ceil(utterances / batch)))
    if needed == 1:
        return f"--batch-size {batch}"
    count = recipe.curriculum.warmup_epochs + needed * main
    return (
        f"--batch-size {batch} --epochs {count} --epoch-ranges 1-{count} --segment-schedule "
        f"{recipe.curriculum.segment_s[-1]:g} --batch-multiplier 1"
    )
