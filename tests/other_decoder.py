"""A decoder of another kind: convolutions at the latents' rate, whose channels become samples."""

import math

import pytest
import torch
from einops import rearrange
from torch import nn

from snac_model.codec.snac import SNAC
from snac_model.decoders import kinds
from snac_model.decoders.protocol import Head, StreamedDecoder
from snac_model.layers.convolutions import conv
from snac_model.layers.noise import NoiseSource, Position
from snac_model.layers.segments import Features, Segments, cut
from snac_model.layers.streamed import Stage, StreamedLayer, streamed
from snac_model.shapes import decoder_shapes
from snac_model.shapes.config import CodecConfig
from snac_model.shapes.decoder_shapes import DecoderShape
from snac_model.shapes.receptive_field import Margin

KIND = "frames"
CHANNELS = 8


class Unfolded(StreamedLayer):
    """Channels to samples."""

    def __init__(self, growth: int) -> None:
        self.growth = growth

    def __call__(self, x: torch.Tensor, ending: bool) -> torch.Tensor:
        """Map ``[B, growth, T]`` to ``[B, 1, growth * T]``."""
        return rearrange(x, "b s t -> b 1 (t s)")

    def spare(self, unwanted: int) -> int:
        """Return how many last positions of the input only unwanted ones see."""
        return unwanted // self.growth


class FrameHead(nn.Module):
    """A convolution to a frame's samples."""

    margin = Margin(1, 1)

    def __init__(self, samples: int) -> None:
        super().__init__()
        self.conv = conv(CHANNELS, samples, 3, padding=1)

    def forward(
        self, features: torch.Tensor, noise: NoiseSource, start: Position = 0
    ) -> torch.Tensor:
        """Map ``[B, C, T]`` to ``[B, 1, samples * T]``."""
        return rearrange(torch.tanh(self.conv(features)), "b s t -> b 1 (t s)")


class FrameDecoder(nn.Module):
    """A trunk that reaches three frames, and two heads."""

    features_per_frame = 1

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.rate = config.sampling_rate
        samples = hop(config)
        self.trunk = conv(config.latent_channels, CHANNELS, 7, padding=3)
        self.lower, self.upper = FrameHead(samples), FrameHead(2 * samples)

    @property
    def heads(self) -> dict[int, Head]:
        """Both heads."""
        return {self.rate: self.lower, 2 * self.rate: self.upper}

    def features(
        self, z: torch.Tensor, noise: NoiseSource, segments: Segments | None = None
    ) -> Features:
        """Cut to what trunk and heads need, and run the trunk."""
        values, start = cut(Features(z), segments, 1, Margin(4, 4))
        return Features(self.trunk(values), start)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return all as one."""
        return {"decoder": list(self.parameters())}

    def streamed(self, noise: NoiseSource) -> StreamedDecoder:
        """Return the convolutions as stages."""
        heads = {
            rate: Stage([*streamed(head.conv, noise), *streamed(nn.Tanh(), noise), Unfolded(grown)])
            for rate, head, grown in (
                (self.rate, self.lower, len(self.lower.conv.weight)),
                (2 * self.rate, self.upper, len(self.upper.conv.weight)),
            )
        }
        return StreamedDecoder([Stage(streamed(self.trunk, noise))], heads)


def other_model(base: SNAC, monkeypatch: pytest.MonkeyPatch) -> SNAC:
    """Return a codec with the tokens of ``base`` and this decoder, which is known from now on."""
    monkeypatch.setitem(
        decoder_shapes.DECODER_SHAPES,
        KIND,
        lambda config: DecoderShape(Margin(4, 4), (hop(config), 2 * hop(config))),
    )
    monkeypatch.setitem(kinds.DECODERS, KIND, FrameDecoder)
    model = SNAC(**base.config.to_dict(), decoder={"kind": KIND})
    for own, others in zip(model.tokenizer_modules(), base.tokenizer_modules(), strict=True):
        own.load_state_dict(others.state_dict())
    return model.eval()


def hop(config: CodecConfig) -> int:
    """Return the samples in a latent frame."""
    return math.prod(config.encoder_rates)
