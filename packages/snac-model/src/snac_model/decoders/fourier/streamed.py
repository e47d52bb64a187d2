"""The Fourier decoder's layers, piece by piece: see ``snac_model.layers.streamed``.

Between them, pieces ``[B, C, T]`` are views of ``[B, T, C]`` in memory, in which everything but the
first convolution works on whole rows.
"""

import torch
import torch.nn.functional as F

from snac_model.decoders.fourier.head import FourierHead
from snac_model.decoders.fourier.layers import (
    BoundedConvolution,
    ChannelNorm,
    ConvNeXtBlock,
    Widening,
)
from snac_model.layers.streamed import Convolution, StreamedLayer
from snac_model.shapes.fourier_config import OVERLAP

SUM_OF_SQUARES = 1.5  # of Hann windows that follow each other by a quarter


class StreamedConvolution(Convolution):
    """The first convolution, as one matrix product.

    On a CPU, torch has no fast convolution of few positions.
    """

    def __init__(self, layer: BoundedConvolution) -> None:
        super().__init__(layer, (layer.before, layer.after))
        self.kernel = self.weight.shape[-1]
        self.matrix = self.weight.flatten(1)

    def convolve(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[B, C, T]`` to ``[B, C', T - reach]``."""
        windows = x.unfold(-1, self.kernel, 1).transpose(1, 2).flatten(2)
        return F.linear(windows, self.matrix, self.bias).transpose(1, 2)


class StreamedNorm(StreamedLayer):
    """Layer normalisation over the channels."""

    def __init__(self, layer: ChannelNorm) -> None:
        self.layer = layer

    def __call__(self, x: torch.Tensor, ending: bool) -> torch.Tensor:
        """Apply the layer."""
        return self.layer(x)


class StreamedWidening(StreamedLayer):
    """Each position to several."""

    def __init__(self, layer: Widening) -> None:
        self.layer = layer
        self.growth, self.width = layer.growth, layer.out_features

    def __call__(self, x: torch.Tensor, ending: bool) -> torch.Tensor:
        """Apply the layer."""
        return self.layer(x)

    def spare(self, unwanted: int) -> int:
        """Return how many last positions of the input only unwanted ones see."""
        return unwanted // self.growth


class StreamedBlock(StreamedLayer):
    """A causal ConvNeXt block, whose scale is part of its last product."""

    def __init__(self, block: ConvNeXtBlock) -> None:
        self.block = block
        scale = block.scale.detach()
        self.narrow = scale[:, None] * block.narrow.weight.detach()
        self.narrow_bias = scale * block.narrow.bias.detach()
        self.taps = block.depthwise.weight.detach()[:, 0].t().contiguous()  # [kernel, C]
        assert block.depthwise.bias is not None
        self.bias = block.depthwise.bias.detach()
        self.width = block.widen.out_features
        self.restart()

    def restart(self) -> None:
        """Forget the stream."""
        self.tail: torch.Tensor | None = None

    def __call__(self, x: torch.Tensor, ending: bool) -> torch.Tensor:
        """Apply the block to what follows what it has seen."""
        rows = x.transpose(1, 2)
        reach, length = len(self.taps) - 1, rows.shape[1]
        tail = rows.new_zeros(len(rows), reach, rows.shape[2]) if self.tail is None else self.tail
        seen = torch.cat((tail, rows), 1)
        if not ending:
            self.tail = seen[:, length:].clone()
        y = self.bias + seen[:, :length] * self.taps[0]
        for number, tap in enumerate(self.taps[1:], start=1):
            y.addcmul_(seen[:, number : number + length], tap)
        y = F.gelu(self.block.widen(self.block.norm(y)))
        return F.linear(y, self.narrow, self.narrow_bias).add_(rows).transpose(1, 2)


class StreamedHead(StreamedLayer):
    """Features to audio; keeps the sums that the next windows still add to."""

    def __init__(self, head: FourierHead) -> None:
        self.head = head
        self.inverse = head.inverse
        self.growth, self.width = self.inverse.hop, head.linear.out_features
        self.restart()

    def restart(self) -> None:
        """Forget the stream."""
        self.sums: torch.Tensor | None = None
        self.squares: torch.Tensor | None = None
        self.trimmed = self.seen = 0

    def __call__(self, x: torch.Tensor, ending: bool) -> torch.Tensor:
        """Map ``[B, C, T]`` to ``[B, 1, hop * T]``, less what is not final."""
        frames = self.inverse.frames(*self.head.spectra(x.transpose(1, 2)))
        audio, length = self._added(frames, self.sums), frames.shape[1]
        final = length * self.inverse.hop
        if ending:
            final = audio.shape[-1] - self.inverse.trimmed
        first = min(final, self.inverse.trimmed - self.trimmed)
        given = self._normalised(audio[:, first:final], slice(first, final), length, ending)
        if not ending:
            self.trimmed += first
            self.seen += length
            self.sums = audio[:, final:].clone()
        return given[:, None]

    def _normalised(
        self, audio: torch.Tensor, place: slice, length: int, ending: bool
    ) -> torch.Tensor:
        """Divide by the sum of squared windows, which is constant but for both ends."""
        if self.seen >= OVERLAP - 1 and not ending:
            return audio / SUM_OF_SQUARES  # and what is left of the sum for later is as it was
        squares = self._added(self.inverse.window.square().expand(1, length, -1), self.squares)
        if not ending:
            self.squares = squares[:, length * self.inverse.hop :].clone()
        return audio / squares[:, place]

    def _added(self, frames: torch.Tensor, sums: torch.Tensor | None) -> torch.Tensor:
        """Add up frames ``[B, T, n_fft]`` and what earlier ones left: ``[B, (T + 3) * hop]``."""
        quarters = frames.unflatten(-1, (OVERLAP, self.inverse.hop))
        items, length = quarters.shape[:2]
        total = frames.new_zeros(items, length + OVERLAP - 1, self.inverse.hop)
        if sums is not None:
            total[:, : OVERLAP - 1] += sums.unflatten(-1, (OVERLAP - 1, -1))
        for number in range(OVERLAP):
            total[:, number : number + length] += quarters[:, :, number]
        return total.flatten(1)

    def spare(self, unwanted: int) -> int:
        """Return how many last positions of the input only unwanted ones see."""
        return max(0, (unwanted - self.inverse.trimmed) // self.inverse.hop)
