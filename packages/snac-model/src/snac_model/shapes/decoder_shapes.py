"""What the geometry must know of a decoder, from the configuration alone; free of torch."""

import math
from collections.abc import Callable
from typing import NamedTuple

from snac_common.errors import Failure
from snac_model.shapes import fourier_config as fourier
from snac_model.shapes.config import CodecConfig
from snac_model.shapes.receptive_field import Margin, decoder_reach


class DecoderShape(NamedTuple):
    """How a decoder's audio relates to its latents.

    Attributes:
        reach: latent frames that a sample depends on, before and after its own; None where
            attention makes the dependence one of absolute windows.
        samples_per_frame: of each output, lowest rate first.
    """

    reach: Margin | None
    samples_per_frame: tuple[int, ...]


def _snac(config: CodecConfig) -> DecoderShape:
    """Return the shape of SNAC's own decoder, with one head or two."""
    rates = config.decoder_rates + ((2,) if config.dual_head else ())
    samples = math.prod(config.decoder_rates)
    return DecoderShape(
        reach=None if config.attn_window_size else decoder_reach(rates),
        samples_per_frame=(samples, 2 * samples) if config.dual_head else (samples,),
    )


def _fourier(config: CodecConfig) -> DecoderShape:
    """Return the shape of a Fourier decoder."""
    if config.dual_head:
        raise Failure(
            "the model's config.json has 'dual_head', which is of SNAC's own decoder: a Fourier "
            "decoder has all its outputs in 'rates'"
        )
    settings = fourier.FourierConfig.from_dict(config.decoder or {})
    frame = config.sampling_rate, math.prod(config.encoder_rates)
    hops = (settings.hop(rate, *frame) for rate in settings.rates)
    return DecoderShape(settings.reach, tuple(settings.upsample * hop for hop in hops))


DECODER_SHAPES: dict[str, Callable[[CodecConfig], DecoderShape]] = {
    "snac": _snac,
    fourier.KIND: _fourier,
}


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
