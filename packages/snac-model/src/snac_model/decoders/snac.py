"""SNAC's own decoder: upsampling blocks, then Snake, convolution and tanh."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from snac_model.decoders.protocol import Head, StreamedDecoder
from snac_model.layers.attention import LocalAttention
from snac_model.layers.convolutions import DecoderBlock, Snake, conv
from snac_model.layers.noise import NoiseSource, Position
from snac_model.layers.segments import Features, Segments, cut
from snac_model.layers.streamed import Stage, StreamedLayer, streamed
from snac_model.shapes.config import CodecConfig
from snac_model.shapes.receptive_field import KERNEL_REACH, Margin, decoder_margins

FINAL_LAYERS = 3


class FinalLayers(nn.Sequential):
    """A head at the trunk's own rate: Snake, convolution and tanh."""

    margin = Margin(KERNEL_REACH, KERNEL_REACH)

    def forward(  # type: ignore[override]
        self, features: torch.Tensor, noise: NoiseSource, start: Position = 0
    ) -> torch.Tensor:
        """Map features ``[B, C, T]`` to audio ``[B, 1, T]``; there is no noise in it."""
        return super().forward(features)


class SNACDecoder(nn.Module):
    """Latents ``[B, C, T]`` to audio ``[B, 1, T * prod(decoder_rates)]``.

    All but the last three layers are the *trunk*; those three (Snake, convolution, tanh) are the
    *head*, which the dual-head model has two of.
    """

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        inputs, channels = config.latent_channels, config.decoder_dim
        if config.depthwise:
            layers = [conv(inputs, inputs, 7, padding=3, groups=inputs), conv(inputs, channels, 1)]
        else:
            layers = [conv(inputs, channels, 7, padding=3)]
        self.model = nn.Sequential(*layers)
        if config.attn_window_size is not None:
            self.model.append(LocalAttention(channels, config.attn_window_size))
        for stride in config.decoder_rates:
            self.model.append(
                DecoderBlock(channels, channels // 2, stride, config.noise, config.depthwise)
            )
            channels //= 2
        self.model.extend([Snake(channels), conv(channels, 1, 7, padding=3), nn.Tanh()])

    @property
    def trunk(self) -> nn.Sequential:
        """Every layer up to the features of the last block."""
        return nn.Sequential(*list(self.model)[:-FINAL_LAYERS])

    @property
    def head(self) -> FinalLayers:
        """Snake, final convolution and tanh."""
        return FinalLayers(*list(self.model)[-FINAL_LAYERS:])

    @property
    def heads(self) -> dict[int, Head]:
        """The one head, under its rate in Hz."""
        upsampled = self.config.sampling_rate * self.features_per_frame
        return {upsampled // math.prod(self.config.encoder_rates): self.head}

    @property
    def blocks(self) -> list[DecoderBlock]:
        """The upsampling blocks, lowest rate first."""
        return [layer for layer in self.model if isinstance(layer, DecoderBlock)]

    @property
    def features_per_frame(self) -> int:
        """Features of the trunk in a latent frame."""
        return math.prod(self.config.decoder_rates)

    def features(
        self,
        z: torch.Tensor,
        noise: NoiseSource,
        segments: Segments | None = None,
        margins: Sequence[Margin] | None = None,
    ) -> Features:
        """Run the trunk: latents ``[B, C, T]`` to features ``[B, c, T * prod(decoder_rates)]``.

        Args:
            z: the latents.
            noise: for the blocks.
            segments: what alone is wanted of the audio.
            margins: of each block's input, what the audio of a segment depends on; default: that of
                this decoder's own head.
        """
        margins = margins or decoder_margins(self.config.decoder_rates)
        features, per_frame, index = Features(z), 1, 0
        for layer in list(self.model)[:-FINAL_LAYERS]:
            if isinstance(layer, DecoderBlock):
                values, start = cut(features, segments, per_frame, margins[index])
                start, per_frame = layer.stride * start, layer.stride * per_frame
                features = Features(layer(values, noise, index, start), start)
                index += 1
            else:
                features = Features(layer(features.values))
        return features

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return ``decoder``; where one block more than the codec's rate needs is new, two."""
        if self.features_per_frame == math.prod(self.config.encoder_rates):
            return {"decoder": list(self.parameters())}
        new = [*self.blocks[-1].parameters(), *self.head.parameters()]
        trunk = [weight for weight in self.parameters() if all(weight is not one for one in new)]
        return {"trunk": trunk, "head_48k": new}

    def streamed(self, noise: NoiseSource) -> StreamedDecoder:
        """Return the layers before the first block, each block and the head as stages."""
        stages: list[list[StreamedLayer]] = [[]]
        for layer in self.trunk:
            if isinstance(layer, DecoderBlock):
                stages.append([])
            stages[-1] += streamed(layer, noise, len(stages) - 2)
        (rate,) = self.heads
        return StreamedDecoder(list(map(Stage, stages)), {rate: Stage(streamed(self.head, noise))})


class DoubleRateHead(nn.Module):
    """Trunk features ``[B, C, T]`` to audio ``[B, 1, 2T]``."""

    margin = decoder_margins((2,))[0]

    def __init__(self, inputs: int, noise: bool, depthwise: bool, index: int) -> None:
        super().__init__()
        self.index = index
        self.block = DecoderBlock(inputs, inputs // 2, 2, noise, depthwise)
        self.final = nn.Sequential(
            Snake(inputs // 2), conv(inputs // 2, 1, 7, padding=3), nn.Tanh()
        )

    def forward(
        self, features: torch.Tensor, noise: NoiseSource, start: Position = 0
    ) -> torch.Tensor:
        """Map ``[B, C, T]`` to ``[B, 1, 2T]``."""
        return self.final(self.block(features, noise, self.index, 2 * start))

    def streamed(self, noise: NoiseSource) -> Stage:
        """Return new layers that decode piece by piece."""
        return Stage([*streamed(self.block, noise, self.index), *streamed(self.final, noise)])


class DualHeadDecoder:
    """SNAC's decoder with a second head at twice the rate.

    The two stay modules of the model, so that its state has the official keys and the head's own.
    """

    def __init__(self, decoder: SNACDecoder, second: DoubleRateHead) -> None:
        self.decoder = decoder
        self.second = second
        self.features_per_frame = decoder.features_per_frame

    @property
    def heads(self) -> dict[int, Head]:
        """Both heads, by rate in Hz."""
        ((rate, first),) = self.decoder.heads.items()
        return {rate: first, 2 * rate: self.second}

    def features(
        self, z: torch.Tensor, noise: NoiseSource, segments: Segments | None = None
    ) -> Features:
        """Run the trunk, with margins for the second head, which reaches farther."""
        margins = decoder_margins((*self.decoder.config.decoder_rates, 2))
        return self.decoder.features(z, noise, segments, margins)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the pretrained trunk, the new head and the pretrained one."""
        return {
            "trunk": list(self.decoder.trunk.parameters()),
            "head_48k": list(self.second.parameters()),
            "head_24k": list(self.decoder.head.parameters()),
        }

    def streamed(self, noise: NoiseSource) -> StreamedDecoder:
        """Return the decoder's stages with one more for the second head."""
        trunk, heads = self.decoder.streamed(noise)
        ((rate, first),) = heads.items()
        return StreamedDecoder(trunk, {rate: first, 2 * rate: self.second.streamed(noise)})
