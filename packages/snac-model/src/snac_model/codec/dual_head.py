"""A SNAC whose decoder has two heads: its own, and one at twice the rate.

The trunk and the first head are the pretrained decoder, key for key. The second head continues
from the trunk's features as the decoder itself would go on: one more 2x block that halves the
channels, then Snake, convolution and tanh.
"""

from dataclasses import replace
from typing import Any, Self

import torch
from torch import nn

from snac_common.errors import Failure
from snac_model.codec.snac import SNAC
from snac_model.decoders.protocol import Decoder
from snac_model.decoders.snac import DoubleRateHead, DualHeadDecoder, SNACDecoder
from snac_model.layers.convolutions import Snake
from snac_model.shapes.config import CodecConfig


class DualHeadSNAC(SNAC):
    """SNAC with a second head: ``decode`` returns ``(audio_24k, audio_48k)``."""

    has_two_heads = True

    def __init__(self, **config: Any) -> None:
        super().__init__(**{**config, "dual_head": True})
        channels = self.config.decoder_dim // 2 ** len(self.config.decoder_rates)
        self.head_48k = DoubleRateHead(
            channels, self.config.noise, self.config.depthwise, len(self.config.decoder_rates)
        )

    @classmethod
    def from_base(cls, base: SNAC, *, copied: bool = True) -> Self:
        """Return a dual head that starts from a pretrained single head.

        Everything the base has is taken over bit for bit. The new block starts from the base's
        last block, the new final layers from the base's: of each effective weight the leading
        channels, as many as the narrower layer has. Unless ``copied``, they start at random.
        """
        decoder = own_decoder(base)
        model = cls(**base.config.to_dict())
        missing, unexpected = model.load_state_dict(base.state_dict(), strict=False)
        if unexpected or any(not name.startswith("head_48k.") for name in missing):
            raise ValueError("the base is not a SNAC with weight norm in place")
        if copied:
            copy_leading_channels(decoder.blocks[-1], model.head_48k.block)
            copy_leading_channels(decoder.head, model.head_48k.final)
        return model.train(base.training)

    @property
    def synthesizer(self) -> Decoder:
        """The decoder with both heads."""
        return DualHeadDecoder(own_decoder(self), self.head_48k)

    def single_head(self) -> SNAC:
        """Return the trunk with the first head alone, as the codec that it is without the other."""
        model = SNAC(**replace(self.config, dual_head=False).to_dict())
        names = model.state_dict().keys()
        model.load_state_dict({n: value for n, value in self.state_dict().items() if n in names})
        return model.train(self.training)


def double_rate(base: SNAC, *, copied: bool = True) -> SNAC:
    """Return a single head at twice the rate of ``base``: its decoder with one more 2x block.

    What the base has is taken over bit for bit, but for its final layers. The new block and the
    new final layers start as the dual head's do: copied from the base's last, or at random.
    """
    decoder = own_decoder(base)
    config = base.config.to_dict()
    model = SNAC(**{**config, "decoder_rates": [*config["decoder_rates"], 2]})
    model.encoder.load_state_dict(base.encoder.state_dict())
    model.quantizer.load_state_dict(base.quantizer.state_dict())
    longer, shared = own_decoder(model), len(decoder.trunk)
    longer.model[:shared].load_state_dict(decoder.trunk.state_dict())
    if copied:
        copy_leading_channels(decoder.blocks[-1], longer.blocks[-1])
        copy_leading_channels(decoder.head, longer.head)
    return model.train(base.training)


def own_decoder(model: SNAC) -> SNACDecoder:
    """Return a model's decoder; raises Failure unless one more 2x block can continue from it."""
    if not isinstance(model.decoder, SNACDecoder):
        kind = model.config.decoder_kind
        raise Failure(f"only SNAC's own decoder can be continued by a 2x block, not a {kind} one")
    return model.decoder


def copy_leading_channels(source: nn.Module, target: nn.Module) -> None:
    """Set the weights of ``target`` to the leading channels of those of ``source``.

    Both must have the same layers in the same order. A weight is assigned through its weight-norm
    parametrization, which inverts the assignment into magnitude and direction; writing into the
    tensor that ``layer.weight`` returns would change a temporary and nothing else.
    """
    with torch.no_grad():
        for from_layer, to_layer in zip(source.modules(), target.modules(), strict=True):
            if isinstance(to_layer, Snake):
                to_layer.alpha.copy_(_leading(from_layer.alpha, to_layer.alpha))  # type: ignore[arg-type]
            if isinstance(to_layer, nn.Conv1d | nn.ConvTranspose1d):
                to_layer.weight = _leading(from_layer.weight, to_layer.weight)  # type: ignore[arg-type]
                if to_layer.bias is not None:
                    to_layer.bias.copy_(_leading(from_layer.bias, to_layer.bias))  # type: ignore[arg-type]


def _leading(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the leading part of ``source`` that has the shape of ``target``.

    A copy, not a view: torch's fused optimizers take a parameter's memory to have no gaps, and
    update a view wrongly without a word.
    """
    return source[tuple(slice(size) for size in target.shape)].clone()


def model_class(config: CodecConfig) -> type[SNAC]:
    """Return the class that a configuration describes."""
    return DualHeadSNAC if config.dual_head else SNAC
