"""The Fourier decoder: causal ConvNeXt blocks on SNAC's latents, and an inverse STFT a rate.

After Vocos (Siuzdak, 2023, "Vocos: Closing the gap between time-domain and Fourier-based neural
vocoders"). It looks ahead in its first convolution alone, so that a stream waits for little.
"""

import math

import torch
from torch import nn

from snac_model.decoders.fourier.head import FourierHead
from snac_model.decoders.fourier.layers import (
    BoundedConvolution,
    ChannelNorm,
    ConvNeXtBlock,
    Widening,
    initialise,
)
from snac_model.decoders.fourier.streamed import (
    StreamedBlock,
    StreamedConvolution,
    StreamedHead,
    StreamedNorm,
    StreamedWidening,
)
from snac_model.decoders.protocol import Head, StreamedDecoder
from snac_model.layers.noise import NoiseSource
from snac_model.layers.segments import Features, Segments, cut
from snac_model.layers.streamed import Stage
from snac_model.shapes.config import CodecConfig
from snac_model.shapes.fourier_config import FourierConfig


class FourierDecoder(nn.Module):
    """Latents ``[B, C, frames]`` to audio at every rate of its configuration."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.settings = settings = FourierConfig.from_dict(config.decoder or {})
        dim, hop_length = settings.dim, math.prod(config.encoder_rates)
        self.first = BoundedConvolution(
            config.latent_channels, dim, settings.kernel, ahead=settings.look_ahead
        )
        self.widen = Widening(dim, dim, settings.upsample)
        self.norm = ChannelNorm(dim)
        blocks = [
            ConvNeXtBlock(dim, settings.hidden, settings.kernel) for _ in range(settings.blocks)
        ]
        self.blocks = nn.Sequential(*blocks)
        self.last_norm = ChannelNorm(dim)
        initialise(self)
        self.outputs = nn.ModuleDict(
            {
                str(rate): FourierHead(dim, settings.hop(rate, config.sampling_rate, hop_length))
                for rate in settings.rates
            }
        )

    @property
    def features_per_frame(self) -> int:
        """Features of the trunk in a latent frame."""
        return self.settings.upsample

    @property
    def heads(self) -> dict[int, Head]:
        """The heads by rate in Hz, lowest first."""
        return {**self._heads()}

    def _heads(self) -> dict[int, FourierHead]:
        heads = self.outputs.items()
        return {int(rate): head for rate, head in heads if isinstance(head, FourierHead)}

    def features(
        self, z: torch.Tensor, noise: NoiseSource, segments: Segments | None = None
    ) -> Features:
        """Run the trunk: latents ``[B, C, T]`` to features ``[B, dim, T * upsample]``."""
        growth = self.settings.upsample
        values, start = cut(Features(z), segments, 1, self.settings.reach)
        features = Features(self.norm(self.widen(self.first(values))), growth * start)
        for block, margin in zip(self.blocks, self.settings.margins(), strict=False):
            values, start = cut(features, segments, growth, margin)
            features = Features(block(values), start)
        return Features(self.last_norm(features.values), features.start)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return all as one: nothing of it is another decoder's."""
        return {"decoder": list(self.parameters())}

    def streamed(self, noise: NoiseSource) -> StreamedDecoder:
        """Return what stands before the blocks, the blocks, and each head as stages."""
        first = StreamedConvolution(self.first)
        blocks = [StreamedBlock(block) for block in self.blocks if isinstance(block, ConvNeXtBlock)]
        return StreamedDecoder(
            trunk=[
                Stage([first, StreamedWidening(self.widen)]),
                Stage([StreamedNorm(self.norm), *blocks, StreamedNorm(self.last_norm)]),
            ],
            heads={rate: Stage([StreamedHead(head)]) for rate, head in self._heads().items()},
        )
