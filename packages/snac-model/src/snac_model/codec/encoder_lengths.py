"""The encoder's residual units on one thread of a CPU, in lengths that the caches hold.

The latents have the bits of the whole: the same products are added up in the same order. What is
near the ends of a length and lacks a neighbour is computed again with the next one. Inside a length
the channels of a sample lie side by side: dilated and pointwise convolutions are fastest there.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from snac_model.layers.convolutions import EncoderBlock, ResidualUnit, Snake

# Two mebibytes for the output of a layer; half as much is about as good.
CACHED_NUMBERS = 2**19
CONTEXT = 3 * (1 + 3 + 9)  # what three residual units see to each side
SHORTEST = 64  # of fewer samples, matrix products are computed in another order
PLAIN_BATCH = 16  # from here on, torch computes pointwise convolutions in another order


def has_lengths(audio: torch.Tensor) -> bool:
    """Tell whether audio ``[B, 1, T]`` may be encoded in lengths, and not as a whole.

    With several threads, torch computes pointwise convolutions in another order.
    """
    return (
        type(audio) is torch.Tensor  # no stand-in of a tracer
        and audio.device.type == "cpu"
        and audio.dtype == torch.float32
        and len(audio) < PLAIN_BATCH
        and torch.get_num_threads() == 1
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not torch.onnx.is_in_onnx_export()
    )


def encode_block(block: EncoderBlock, x: torch.Tensor) -> torch.Tensor:
    """Do what ``block`` does, ``[B, C, T]`` to ``[B, 2C, T / stride]``, in lengths where it can."""
    *units, downsampling = block.block.children()
    channels, samples = x.shape[1:]
    if samples < SHORTEST or not units[0].is_depthwise or not keeps_bits(channels):
        return block(x)
    return downsampling(Lengths(units)(x))


@cache
def keeps_bits(channels: int) -> bool:
    """Tell whether lengths give the bits of the whole on this machine, tried once on noise.

    The libraries choose their kernels by the processor, and promise no order of adding up.
    """
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(0)
        units = list(EncoderBlock(channels, 2, depthwise=True).block.children())[:-1]
        noise = torch.randn(1, channels, 2 * length_of(channels) + SHORTEST)
        return torch.equal(Lengths(units)(noise), nn.Sequential(*units)(noise))


def length_of(channels: int) -> int:
    """Return how many samples to take at a time: with context, whole rows of any dilation."""
    rows = CACHED_NUMBERS // channels // 9
    return max(2 * SHORTEST, 9 * rows - 2 * CONTEXT)


class Lengths:
    """Three residual units and a Snake, length by length."""

    def __init__(self, layers: list[nn.Module]) -> None:
        first, *others, last = layers
        assert isinstance(first, ResidualUnit)
        assert isinstance(last, Snake)
        self.first = UnitOfRows(first)
        self.others = [UnitOfRows(unit) for unit in others if isinstance(unit, ResidualUnit)]
        self.last = SnakeOfRows(last)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[B, C, T]`` to the same shape."""
        y = torch.empty_like(x)
        samples = x.shape[-1]
        for start, stop in spans(samples, length_of(x.shape[1])):
            before, after = max(0, start - CONTEXT), min(samples, stop + CONTEXT)
            for row in range(len(x)):
                rows = self._through_units(x[row : row + 1, :, before:after].contiguous())
                y[row, :, start:stop] = self.last(rows[start - before : stop - before]).t()
        return y

    def _through_units(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[1, C, T]`` to rows ``[T, C]``."""
        rows = self.first.undilated(x)
        for unit in self.others:
            rows = unit(rows)
        return rows


def spans(samples: int, length: int) -> Iterator[tuple[int, int]]:
    """Yield the start and stop of each length; the last takes what is left over, less than one."""
    count = max(1, samples // length)
    for number in range(count):
        yield number * length, samples if number == count - 1 else (number + 1) * length


class SnakeOfRows:
    """Snake on rows ``[T, C]``."""

    def __init__(self, layer: Snake) -> None:
        self.alpha = layer.alpha.flatten()
        self.scale = (self.alpha + 1e-9).reciprocal()

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """Apply the layer, with the operations and the order of ``layers.snake``."""
        return (self.alpha * rows).sin_().square_().mul_(self.scale).add_(rows)


class UnitOfRows:
    """A residual unit on rows ``[T, C]``."""

    def __init__(self, unit: ResidualUnit) -> None:
        layers: list[Any] = list(unit.block.children())
        first, dilated, second, pointwise = layers
        self.start = nn.Sequential(first, dilated)
        self.dilation = dilated.dilation[0]
        self.first, self.second = SnakeOfRows(first), SnakeOfRows(second)
        self.taps = dilated.weight.repeat(self.dilation, 1, 1)[:, :, None]
        self.bias = dilated.bias.repeat(self.dilation)
        self.weight, self.offset = pointwise.weight[..., 0].t(), pointwise.bias

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """Apply the unit."""
        return self._pointwise(self._dilated(self.first(rows)), rows)

    def undilated(self, x: torch.Tensor) -> torch.Tensor:
        """Apply a unit without dilation to ``[1, C, T]``; returns rows.

        torch adds the bias to this convolution first, and to one of rows last.
        """
        return self._pointwise(self.start(x)[0].t().contiguous(), x[0].t())

    def _dilated(self, rows: torch.Tensor) -> torch.Tensor:
        """Convolve as ``DilatedDepthwise`` does: each row of a fold has ``dilation`` samples."""
        samples, channels = rows.shape
        if lacking := -samples % self.dilation:
            rows = F.pad(rows, (0, 0, 0, lacking))
        folded = rows.view(1, 1, -1, self.dilation * channels).permute(0, 3, 1, 2)
        y = F.conv2d(folded, self.taps, self.bias, padding=(0, 3), groups=len(self.bias))
        return y.permute(0, 2, 3, 1).reshape(-1, channels)[:samples]

    def _pointwise(self, y: torch.Tensor, shortcut: torch.Tensor) -> torch.Tensor:
        return torch.addmm(self.offset, self.second(y), self.weight).add_(shortcut)
