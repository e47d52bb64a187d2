"""The decoders there are, by the kind that ``decoder`` in config.json names."""

from snac_model.config import CodecConfig
from snac_model.snac_decoder import SNACDecoder

DECODERS: dict[str, type[SNACDecoder]] = {"snac": SNACDecoder}


def build_decoder(config: CodecConfig) -> SNACDecoder:
    """Build the untrained decoder of a configuration whose geometry is known to exist."""
    return DECODERS[config.decoder_kind](config)
