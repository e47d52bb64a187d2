"""What the geometry must know of a decoder, from the configuration alone; free of torch."""

import math
from collections.abc import Callable
from typing import NamedTuple

from snac_common.errors import Failure
from snac_model.config import CodecConfig
from snac_model.receptive_field import decoder_receptive_field


class DecoderShape(NamedTuple):
    """How a decoder's audio relates to its latents.

    Attributes:
        receptive_field: latent frames that a sample depends on, to each side of its own; None where
            attention makes the dependence one of absolute windows.
        samples_per_frame: of each output, lowest rate first.
    """

    receptive_field: int | None
    samples_per_frame: tuple[int, ...]


def _snac(config: CodecConfig) -> DecoderShape:
    """Return the shape of SNAC's own decoder, with one head or two."""
    rates = config.decoder_rates + ((2,) if config.dual_head else ())
    samples = math.prod(config.decoder_rates)
    return DecoderShape(
        receptive_field=None if config.attn_window_size else decoder_receptive_field(rates),
        samples_per_frame=(samples, 2 * samples) if config.dual_head else (samples,),
    )


DECODER_SHAPES: dict[str, Callable[[CodecConfig], DecoderShape]] = {"snac": _snac}


def decoder_shape(config: CodecConfig) -> DecoderShape:
    """Return the shape of the decoder that a configuration names.

    Raises:
        Failure: if there is no decoder of that kind.
    """
    if config.decoder_kind not in DECODER_SHAPES:
        raise Failure(
            f"'decoder' in the model's config.json is of kind {config.decoder_kind!r}, which this "
            f"version does not know, only {', '.join(DECODER_SHAPES)}"
        )
    return DECODER_SHAPES[config.decoder_kind](config)
