"""Settings that each may be, but not together."""

from snac_common.errors import BadInput
from snac_train.recipe.tables import Recipe


def check_consistent(recipe: Recipe) -> None:
    """Raise BadInput for settings that each may be, but not together."""
    _check_tokenizer(recipe)
    _check_augmentation(recipe)
    _check_heads(recipe)
    if not recipe.loss.terms or len(set(recipe.loss.terms)) < len(recipe.loss.terms):
        raise BadInput("loss.terms must name each term once, and at least one: l1, stft")
    _check_warmup(recipe)


def _check_tokenizer(recipe: Recipe) -> None:
    model = recipe.model
    if not (model.freeze_encoder and model.freeze_vq) and recipe.data.codes == "cached":
        raise BadInput(
            "cached codes are those of a frozen encoder and quantizer: to train either, "
            "set data.codes=encoded"
        )
    if model.weights == "random" and (model.freeze_encoder or model.freeze_vq):
        raise BadInput(
            "model.weights=random leaves nothing worth freezing: set model.freeze_encoder=false "
            "and model.freeze_vq=false"
        )
    if model.freeze_vq and (recipe.codebooks.fill or recipe.codebooks.revive_every):
        raise BadInput("codebooks.fill and codebooks.revive_every need model.freeze_vq=false")
    if not model.freeze_vq and not recipe.loss.codebook_weight:
        raise BadInput(
            "model.freeze_vq=false with loss.codebook_weight=0: nothing would train the codebooks"
        )


def _check_augmentation(recipe: Recipe) -> None:
    if not recipe.augmentation.speeds:
        raise BadInput("augmentation.speeds is empty; 1.0 leaves the speed as it is")
    read = (recipe.data.codes, recipe.data.reference)
    if not recipe.augmentation.nothing and read != ("encoded", "source"):
        raise BadInput(
            "augmentation changes what is encoded and what it is compared with: it needs "
            "data.codes=encoded and data.reference=source"
        )


def _check_heads(recipe: Recipe) -> None:
    if recipe.data.reference == "source" and "48k" in recipe.model.heads:
        raise BadInput("a 48 kHz head needs 48 kHz audio: set data.reference=target")
    if not recipe.model.heads:
        raise BadInput("model.heads is empty; name 24k, 48k, or both")
    unscored = set(recipe.checkpoint.best) - {"combined", *recipe.model.heads}
    if unscored:
        raise BadInput(
            f"checkpoint.best names {unscored.pop()}, which is not among model.heads "
            f"({', '.join(recipe.model.heads)})"
        )


def _check_warmup(recipe: Recipe) -> None:
    new = recipe.model.weights == "random" or "48k" in recipe.model.heads
    if recipe.curriculum.warmup_epochs and not new:
        raise BadInput(
            "warm-up trains new layers alone, and this recipe has none: set "
            "curriculum.warmup_epochs=0 (--warmup-epochs 0)"
        )
