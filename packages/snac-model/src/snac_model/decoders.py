"""The decoders there are, by the kind that ``decoder`` in config.json names."""

from snac_model.config import CodecConfig
from snac_model.fourier.config import KIND
from snac_model.fourier.decoder import FourierDecoder
from snac_model.snac_decoder import SNACDecoder

DECODERS: dict[str, type[SNACDecoder] | type[FourierDecoder]] = {
    "snac": SNACDecoder,
    KIND: FourierDecoder,
}


def build_decoder(config: CodecConfig) -> SNACDecoder | FourierDecoder:
    """Build the untrained decoder of a configuration whose geometry is known to exist."""
    return DECODERS[config.decoder_kind](config)
