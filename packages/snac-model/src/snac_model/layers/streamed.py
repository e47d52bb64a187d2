"""The decoder's layers, piece by piece: each keeps the end of its input that the next piece needs.

A layer is called with what comes next of its input, ``[B, C, T]``, and gives what is final of its
output. With ``ending`` it gives all that is left, as if the input ended here, with the zeros that
the layer itself pads with; this changes no state, so that the input may go on afterwards.
"""

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from snac_common.errors import Failure
from snac_model.layers.convolutions import DecoderBlock, NoiseBlock, ResidualUnit, Snake
from snac_model.layers.noise import NoiseSource

# What a layer may put out at a time on a CPU so that the next one finds it in the caches, in
# numbers: a mebibyte. Measured with the true size; half and twice as much are about as good.
CACHED_NUMBERS = 2**18


class StreamedLayer:
    """One layer of a stream; without state, and looking at one position at a time, if not more.

    Attributes:
        growth: positions of the output for one of the input.
        width: numbers that one position of the input becomes.
    """

    growth = 1
    width = 1

    def __call__(self, x: torch.Tensor, ending: bool) -> torch.Tensor:
        """Take the next ``[B, C, T]`` of the input; return what is final of the output."""
        raise NotImplementedError

    def restart(self) -> None:
        """Forget the stream."""

    def spare(self, unwanted: int) -> int:
        """Return how many last positions of the input only unwanted last ones of the output see."""
        return unwanted


class Squashing(StreamedLayer):
    """The last layer, tanh."""

    def __call__(self, x: torch.Tensor, ending: bool) -> torch.Tensor:
        """Apply the layer."""
        return torch.tanh(x)


class SnakeCurve(StreamedLayer):
    """Snake with NumPy's sine on a CPU: 0.6 ns a number where torch's takes 1.3 (AVX-512)."""

    def __init__(self, layer: Snake) -> None:
        self.alpha = layer.alpha.detach()
        self.scale = (self.alpha + 1e-9).reciprocal()

    def __call__(self, x: torch.Tensor, ending: bool) -> torch.Tensor:
        """Apply the layer."""
        sine = self.alpha * x
        if sine.device.type == "cpu" and sine.dtype == torch.float32:
            numbers = sine.numpy()
            np.sin(numbers, out=numbers)
        else:
            sine.sin_()
        return torch.addcmul(x, sine.square_(), self.scale)


class Convolution(StreamedLayer):
    """A convolution of stride 1.

    Args:
        reach: positions that it sees before and after its own; by default the layer's padding.
    """

    def __init__(self, layer: nn.Conv1d, reach: tuple[int, int] | None = None) -> None:
        self.weight = layer.weight.detach()
        self.bias = None if layer.bias is None else layer.bias.detach()
        self.before, self.after = reach or (int(layer.padding[0]), int(layer.padding[0]))
        self.dilation = layer.dilation
        self.groups = layer.groups
        self.width = len(self.weight)
        self.restart()

    def restart(self) -> None:
        """Forget the stream."""
        self.tail: torch.Tensor | None = None

    def __call__(self, x: torch.Tensor, ending: bool) -> torch.Tensor:
        """Convolve what has its whole neighbourhood by now."""
        if reach := self.before + self.after:
            x = _continued(self.tail, x, zeros=self.before)
            if ending:
                x = F.pad(x, (0, self.after))
            else:
                self.tail = _last(x, reach)
            if x.shape[-1] <= reach:
                return x.new_empty(x.shape[0], len(self.weight), 0)
        return self.convolve(x)

    def convolve(self, x: torch.Tensor) -> torch.Tensor:
        """Return the output of all positions that ``x`` ``[B, C, T]`` is enough for."""
        return F.conv1d(x, self.weight, self.bias, dilation=self.dilation, groups=self.groups)

    def spare(self, unwanted: int) -> int:
        """Return how many last positions of the input only unwanted ones see."""
        return max(0, unwanted - self.after)


class Upsampling(StreamedLayer):
    """A transposed convolution whose kernel is two strides long.

    A stride's worth of output depends on two neighbouring inputs, so it is one matrix product. On a
    CPU that takes a small part of the time that a transposed convolution of a short piece does.
    """

    def __init__(self, layer: nn.ConvTranspose1d) -> None:
        self.stride = layer.stride[0]
        self.padding = int(layer.padding[0])
        now, before = layer.weight.detach().split(self.stride, dim=-1)
        self.weight = rearrange(torch.cat((before, now)), "i o s -> (o s) i").contiguous()
        self.bias = layer.bias.detach().repeat_interleave(self.stride)  # type: ignore[union-attr]
        self.growth, self.width = self.stride, len(self.weight)
        self.restart()

    def restart(self) -> None:
        """Forget the stream."""
        self.tail: torch.Tensor | None = None

    def __call__(self, x: torch.Tensor, ending: bool) -> torch.Tensor:
        """Map ``[B, C, T]`` to ``[B, C', stride * T]``, less what the layer cuts off."""
        first = self.padding if self.tail is None else 0
        x = _continued(self.tail, x, zeros=1)
        if ending:
            x = F.pad(x, (0, 1))
        else:
            self.tail = _last(x, 1)
        pairs = torch.cat((x[..., :-1], x[..., 1:]), dim=1).transpose(1, 2)
        y = F.linear(pairs, self.weight, self.bias)
        y = rearrange(y, "b t (o s) -> b o (t s)", s=self.stride)
        return y[..., first : y.shape[-1] - (self.stride - self.padding if ending else 0)]

    def spare(self, unwanted: int) -> int:
        """Return how many last positions of the input only unwanted ones see."""
        return max(0, (unwanted - self.padding) // self.stride)


class Noise(StreamedLayer):
    """A noise block, which counts the positions that it has seen."""

    def __init__(self, layer: NoiseBlock, source: NoiseSource, block: int) -> None:
        self.linear = Convolution(layer.linear)
        self.source = source
        self.block = block
        self.restart()

    def restart(self) -> None:
        """Forget the stream."""
        self.position = 0

    def __call__(self, x: torch.Tensor, ending: bool) -> torch.Tensor:
        """Add noise scaled by a linear function of the features."""
        noise = self.source(x, self.block, self.position)
        if not ending:
            self.position += x.shape[-1]
        return x if noise is None else self.linear(x, ending).mul_(noise).add_(x)


class Shortcut(StreamedLayer):
    """Layers around which their input is led, held back for as long as they take."""

    def __init__(self, layers: Sequence[StreamedLayer]) -> None:
        self.layers = layers
        self.restart()

    def restart(self) -> None:
        """Forget the stream."""
        self.waiting: torch.Tensor | None = None
        for layer in self.layers:
            layer.restart()

    def __call__(self, x: torch.Tensor, ending: bool) -> torch.Tensor:
        """Add the input to what the layers make of it."""
        waiting = _continued(self.waiting, x, zeros=0)
        y = stream_through(self.layers, x, ending)
        ready = y.shape[-1]
        if not ending:
            self.waiting = _last(waiting, waiting.shape[-1] - ready)
        return y.add_(waiting[..., :ready])

    def spare(self, unwanted: int) -> int:
        """Return how many last positions of the input only unwanted ones see."""
        return spare_through(self.layers, unwanted)


def streamed(module: nn.Module, noise: NoiseSource, block: int = 0) -> list[StreamedLayer]:
    """Return a decoder's layers as layers of a stream.

    Args:
        module: a layer of the decoder, or several in a row.
        noise: for its noise blocks.
        block: number of the decoder block that it belongs to.

    Raises:
        Failure: for a layer that needs more of its input than what is near.
    """
    layers: list[StreamedLayer]
    match module:
        case nn.Conv1d():
            layers = [Convolution(module)]
        case nn.ConvTranspose1d():
            layers = [Upsampling(module)]
        case Snake():
            layers = [SnakeCurve(module)]
        case nn.Tanh():
            layers = [Squashing()]
        case NoiseBlock():
            layers = [Noise(module, noise, block)]
        case ResidualUnit():
            layers = [Shortcut(streamed(module.block, noise, block))]
        case DecoderBlock():
            layers = streamed(module.block, noise, block)
        case nn.Sequential():
            layers = [part for layer in module for part in streamed(layer, noise, block)]
        case _:
            raise Failure(f"a model with {type(module).__name__} cannot decode piece by piece")
    return layers


class Stage:
    """Layers in a row at one resolution, which take their input in lengths that the caches hold."""

    def __init__(self, layers: Sequence[StreamedLayer]) -> None:
        self.layers = layers
        self.growth = prod(layer.growth for layer in layers)
        self.widest = max(layer.width for layer in layers)

    def restart(self) -> None:
        """Forget the stream."""
        for layer in self.layers:
            layer.restart()

    def __call__(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield the next of the output, piece by piece: nothing while too little is known."""
        length = max(1, x.shape[-1])
        if x.device.type == "cpu":
            length = max(1, CACHED_NUMBERS // (len(x) * self.widest))
        for piece in x.split(length, dim=-1):
            y = stream_through(self.layers, piece, ending=False)
            if y.shape[-1]:
                yield y

    def rest(self, x: torch.Tensor, lacking: int, spare: int) -> tuple[torch.Tensor, int]:
        """Return the rest of the output as if the input ended, without changing the state.

        Args:
            x: the rest of the input.
            lacking: positions that were left out at its end.
            spare: positions that may be.

        Returns:
            The rest, and how many positions it lacks.
        """
        left_out = min(x.shape[-1], max(0, spare - lacking))
        y = stream_through(self.layers, x[..., : x.shape[-1] - left_out], ending=True)
        return y, (lacking + left_out) * self.growth


def through_stages(stages: Sequence[Stage], x: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield what stages in a row make of ``x``; each piece goes through all before the next one."""
    if not stages:
        yield x
        return
    first, *others = stages
    for y in first(x):
        yield from through_stages(others, y)


def rest_through_stages(
    stages: Sequence[Stage], x: torch.Tensor, lacking: int, unwanted: int
) -> tuple[torch.Tensor, int]:
    """Return the rest of the output as if the input ended, and how many positions it lacks.

    Each stage leaves out what nothing but the ``unwanted`` last positions of the output needs.
    """
    if not stages:
        return x, lacking
    first, *others = stages
    layers = [layer for stage in stages for layer in stage.layers]
    y, lacking = first.rest(x, lacking, spare_through(layers, unwanted))
    return rest_through_stages(others, y, lacking, unwanted)


def spare_through(layers: Sequence[StreamedLayer], unwanted: int) -> int:
    """Return how many last positions of the input only unwanted last ones of the output need."""
    for layer in reversed(layers):
        unwanted = layer.spare(unwanted)
    return unwanted


def stream_through(layers: Sequence[StreamedLayer], x: torch.Tensor, ending: bool) -> torch.Tensor:
    """Pass a piece through layers in a row, as far as there is something to pass on."""
    for layer in layers:
        if not x.shape[-1] and not ending:
            break
        x = layer(x, ending)
    return x


def _continued(tail: torch.Tensor | None, x: torch.Tensor, zeros: int) -> torch.Tensor:
    """Put a tail before ``x``, or at the start of a stream as many zeros as the layer pads with."""
    if tail is None:
        return F.pad(x, (zeros, 0)) if zeros else x
    return torch.cat((tail, x), dim=-1)


def _last(x: torch.Tensor, length: int) -> torch.Tensor:
    """Copy the last positions, as many as there are of ``length``: a view would keep the rest."""
    return x[..., max(0, x.shape[-1] - length) :].clone()
