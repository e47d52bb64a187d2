"""A language model's tokens to audio, in one call."""

import numpy as np
import torch

from snac_model.codec.snac import SNAC
from snac_model.layers.noise import NoiseSource
from snac_model.tokens.layout import ORPHEUS, TokenLayout
from snac_model.tokens.text import read_tokens


@torch.inference_mode()
def decode_tokens(
    model: SNAC, text: str, layout: TokenLayout = ORPHEUS, noise: NoiseSource | None = None
) -> dict[int, np.ndarray]:
    """Return the audio of one utterance's tokens: float32 ``[T]`` under each rate in Hz.

    Args:
        model: whose codes the tokens are.
        text: one ``<custom_token_N>`` after another.
        layout: of the tokens.
        noise: as for ``model.decode``.

    Raises:
        BadInput: if the layout is not of the model's codes.
        Failure: with its place, for whatever is not a token of a whole frame.
    """
    layout.check_model(model.geometry, model.config.codebook_size)
    levels = map(torch.from_numpy, read_tokens(text, layout))
    outputs = model.decode_by_rate([level[None].to(model.device) for level in levels], noise)
    return {rate: audio[0, 0].cpu().numpy() for rate, audio in outputs.items()}
