"""A codec's tokens with a Fourier decoder in place of its own."""

from typing import Any

from snac_model.codec.snac import SNAC
from snac_model.shapes.fourier_config import FourierConfig


def with_fourier_decoder(base: SNAC, settings: FourierConfig) -> SNAC:
    """Return a codec with the tokens of ``base`` and an untrained Fourier decoder.

    Encoder and quantizer are taken over bit for bit. The decoder's weights come from torch's global
    generator.

    Raises:
        Failure: if such a decoder does not fit the codec.
    """
    config: dict[str, Any] = {**base.config.to_dict(), "decoder": settings.to_dict()}
    config.pop("dual_head", None)
    model = SNAC(**config)
    model.take_tokenizer(base)
    return model.train(base.training)
