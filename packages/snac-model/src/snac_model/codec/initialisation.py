"""Random weights that a codec can be trained from."""

import torch
from torch import nn
from torch.nn.utils import parametrize

from snac_model.codec.snac import SNAC
from snac_model.decoders.snac import SNACDecoder
from snac_model.layers.convolutions import NoiseBlock, ResidualUnit

RESIDUAL_SCALE = 0.2
NOISE_SCALE = 0.02
OUTPUT_SCALE = 0.05  # speech is about this loud


@torch.no_grad()
def init_variance_preserving(model: SNAC) -> SNAC:
    """Scale random layers so that each passes on about the variance of its input; no biases.

    torch's own start shrinks it to a third in every convolution, so that after a dozen in a row the
    output hardly depends on the input, and neither do the gradients: a SNAC started so does not
    learn. Residual branches and noise start small instead, and the last layer as quiet as speech.
    A decoder of another kind, without weight norms, stays as it starts.
    """
    for module in model.modules():
        if parametrize.is_parametrized(module, "weight"):
            _scale(module, 3**0.5)
            if module.bias is not None:
                module.bias.zero_()  # type: ignore[operator]
    for module in model.modules():
        if isinstance(module, ResidualUnit):
            _scale(module.block[-1], RESIDUAL_SCALE)
        if isinstance(module, NoiseBlock):
            _scale(module.linear, NOISE_SCALE)
    if isinstance(model.decoder, SNACDecoder):
        *_, last = (layer for layer in model.decoder.head if isinstance(layer, nn.Conv1d))
        _scale(last, OUTPUT_SCALE)
    return model


def _scale(layer: nn.Module, factor: float) -> None:
    assert isinstance(layer, nn.Conv1d | nn.ConvTranspose1d)
    layer.weight = layer.weight * factor  # the parametrization takes it apart again
