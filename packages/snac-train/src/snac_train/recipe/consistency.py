"""Settings that each may be, but not together."""

from snac_common.errors import BadInput
from snac_train.recipe.tables import Adversarial, Recipe

SMALLEST_WINDOW = 4  # samples; a hop is a quarter of it


def check_consistent(recipe: Recipe) -> None:
    """Raise BadInput for settings that each may be, but not together."""
    _check_tokenizer(recipe)
    _check_augmentation(recipe)
    _check_heads(recipe)
    if not recipe.loss.terms or len(set(recipe.loss.terms)) < len(recipe.loss.terms):
        raise BadInput("loss.terms must name each term once, and at least one: l1, stft, mel")
    _check_decoder(recipe)
    _check_warmup(recipe)
    _check_best(recipe)
    _check_windows(recipe)
    _check_optimizer(recipe)
    _check_discriminators(recipe.adversarial)
    _check_judged(recipe)


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


def _check_best(recipe: Recipe) -> None:
    best, heads = recipe.checkpoint.best, recipe.model.heads
    unscored = {"24k", "48k"}.intersection(best).difference(heads)
    if unscored and heads:
        raise BadInput(
            f"checkpoint.best names {unscored.pop()}, which is not among model.heads "
            f"({', '.join(heads)}): set checkpoint.best=combined, or name these"
        )
    if {"combined", "last"} <= set(best):
        raise BadInput(
            "checkpoint.best names combined and last, which are both kept in best/: name one"
        )
    if "mel" in best and "mel" not in recipe.loss.terms:
        raise BadInput(
            "checkpoint.best names mel, which is not among loss.terms: set checkpoint.best=last, "
            "or add mel to loss.terms"
        )


def _check_windows(recipe: Recipe) -> None:
    loss = recipe.loss
    sizes = {
        "loss.fft_sizes_24k": loss.fft_sizes_24k,
        "loss.fft_sizes_48k": loss.fft_sizes_48k,
        "loss.mel_windows": loss.mel_windows,
    }
    for name, windows in sizes.items():
        if not windows or min(windows) < SMALLEST_WINDOW:
            raise BadInput(
                f"{name} are sizes of windows, {SMALLEST_WINDOW} samples or more, not "
                f"{list(windows)}"
            )


def _check_optimizer(recipe: Recipe) -> None:
    if len(recipe.optimizer.betas) != 2:
        raise BadInput("optimizer.betas are two numbers, such as 0.9,0.999")
    if recipe.optimizer.average and not (recipe.model.freeze_encoder and recipe.model.freeze_vq):
        raise BadInput(
            "optimizer.average is of the decoder alone: set optimizer.average=0 where encoder or "
            "quantizer are trained"
        )


def _check_discriminators(settings: Adversarial) -> None:
    edges = list(settings.band_edges)
    if edges[:1] != [0] or edges[-1:] != [1] or edges != sorted(set(edges)):
        raise BadInput(f"adversarial.band_edges must rise from 0 to 1, not {edges}")
    if not settings.periods and not settings.window_sizes:
        raise BadInput(
            "adversarial.periods and adversarial.window_sizes are both empty: for no "
            "discriminators set adversarial.weight=0"
        )
    if settings.periods and not settings.period_channels:
        raise BadInput("adversarial.period_channels is empty: name at least one layer's channels")
    if not settings.heads:
        raise BadInput("adversarial.heads is empty: name 24k, 48k, or both")


def _check_judged(recipe: Recipe) -> None:
    settings, heads = recipe.adversarial, recipe.model.heads
    if settings.weight and heads and not set(settings.heads) & set(heads):
        raise BadInput(
            f"adversarial.heads ({', '.join(settings.heads)}) and model.heads "
            f"({', '.join(heads)}) have none in common: name one whose output is judged"
        )


def _check_decoder(recipe: Recipe) -> None:
    model = recipe.model
    if model.decoder == "fourier" and not (model.freeze_encoder and model.freeze_vq):
        raise BadInput(
            "model.decoder=fourier is a new decoder of the base's tokens: leave "
            "model.freeze_encoder=true and model.freeze_vq=true"
        )
    if model.teacher and model.decoder != "fourier":
        raise BadInput("model.teacher is imitated by a new decoder: set model.decoder=fourier too")
    if recipe.fourier.look_ahead >= recipe.fourier.kernel:
        raise BadInput(
            f"fourier.look_ahead={recipe.fourier.look_ahead}: a kernel of {recipe.fourier.kernel} "
            f"looks at most {recipe.fourier.kernel - 1} latent frames ahead"
        )


def _check_warmup(recipe: Recipe) -> None:
    model = recipe.model
    new = model.weights == "random" or "48k" in model.heads or model.decoder == "fourier"
    if recipe.curriculum.warmup_epochs and not new and recipe.model.heads:
        raise BadInput(
            "warm-up trains new layers alone, and this recipe has none: set "
            "curriculum.warmup_epochs=0 (--warmup-epochs 0)"
        )
