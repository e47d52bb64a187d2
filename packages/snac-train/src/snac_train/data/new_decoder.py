"""A new decoder of a base's tokens, and the teacher that it imitates."""

from dataclasses import asdict

from snac_common.errors import Failure
from snac_model.codec.fourier_from_base import with_fourier_decoder
from snac_model.codec.loading import load
from snac_model.codec.snac import SNAC
from snac_model.codec.weights import weights_sha256
from snac_model.shapes.fourier_config import KIND, FourierConfig
from snac_train.recipe.tables import Recipe


def with_new_decoder(base: SNAC, recipe: Recipe, name: str, rates: tuple[int, ...]) -> SNAC:
    """Return the base's tokens with the recipe's Fourier decoder; the base's own, if it has one.

    Args:
        name: of the base, for people.
        rates: of its outputs, in Hz.

    Raises:
        Failure: if the base has a Fourier decoder of another shape.
    """
    settings = FourierConfig(rates=rates, **asdict(recipe.fourier))
    if base.config.decoder_kind != KIND:
        return with_fourier_decoder(base, settings)
    if FourierConfig.from_dict(base.config.decoder or {}) != settings:
        raise Failure(
            f"{name} has a Fourier decoder already, {base.config.decoder}, and the recipe asks for "
            f"{settings.to_dict()}: set [fourier] and model.heads as they are there, or give the "
            "model that it was made from as --base"
        )
    return base


def teacher_of(base: SNAC, recipe: Recipe, name: str) -> SNAC | None:
    """Return the model that a new decoder imitates; None where nothing is imitated.

    Raises:
        Failure: if there is none, or its codes are not the base's.
    """
    if recipe.model.decoder == "base":
        return None
    if not recipe.model.teacher and base.config.decoder_kind == KIND:
        if recipe.curriculum.warmup_epochs:
            raise Failure(
                f"{name} would imitate itself in warm-up: name another decoder with "
                "--set model.teacher=MODEL, or leave warm-up out with --warmup-epochs 0"
            )
        return None
    if not recipe.model.teacher:
        return _checked(base, name)
    teacher = load(recipe.model.teacher)
    if weights_sha256(teacher.tokenizer_modules()) != weights_sha256(base.tokenizer_modules()):
        raise Failure(
            f"{recipe.model.teacher} cannot teach a decoder of {name}'s tokens: its own are others"
        )
    return _checked(teacher, recipe.model.teacher)


def _checked(teacher: SNAC, name: str) -> SNAC:
    """Return the teacher; raises Failure if no segment of its audio can be decoded alone."""
    if teacher.geometry.decoder_context is None:
        raise Failure(f"{name} has local attention, so that segments of its audio cannot be taught")
    return teacher
