"""The decoders there are, by the kind that ``decoder`` in config.json names."""

from snac_model.decoders.fourier.decoder import FourierDecoder
from snac_model.decoders.snac import SNACDecoder
from snac_model.shapes.config import CodecConfig
from snac_model.shapes.fourier_config import KIND

DECODERS: dict[str, type[SNACDecoder] | type[FourierDecoder]] = {
    "snac": SNACDecoder,
    KIND: FourierDecoder,
}


def build_decoder(config: CodecConfig) -> SNACDecoder | FourierDecoder:
    """Build the untrained decoder of a configuration whose geometry is known to exist."""
    return DECODERS[config.decoder_kind](config)
