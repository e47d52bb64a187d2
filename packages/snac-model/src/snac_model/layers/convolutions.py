"""The codec's convolutional layers, with the official package's state-dict keys.

The architecture is SNAC's (Siuzdak et al., 2024, "SNAC: Multi-Scale Neural Audio Codec").
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from snac_model.layers.noise import NoiseSource, Position


class SnakeFunction(torch.autograd.Function):
    """Snake that keeps its input alone for the backward pass, and works in place elsewhere.

    The forward pass does the official package's operations in its order, hence gives its bits, at
    a fraction of the memory and its traffic.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
        """Map ``[B, C, T]`` to the same shape."""
        ctx.save_for_backward(x, alpha)
        scale = (alpha + 1e-9).reciprocal()
        if torch.compiler.is_compiling():  # what it returns changed in place gets no gradient there
            return torch.sin(alpha * x).pow(2) * scale + x
        return (alpha * x).sin_().pow_(2).mul_(scale).add_(x)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the gradients of ``x`` and ``alpha``."""
        (gradient,) = gradients
        x, alpha = ctx.saved_tensors
        scale = (alpha + 1e-9).reciprocal()
        sine = torch.sin(alpha * x)
        twice = torch.cos(alpha * x).mul_(sine).mul_(2)  # sin(2 alpha x)
        of_alpha = None
        if ctx.needs_input_grad[1]:
            through_phase = (gradient * x).mul_(twice).sum((0, 2), keepdim=True)
            through_scale = sine.pow_(2).mul_(gradient).sum((0, 2), keepdim=True)
            of_alpha = scale * through_phase - scale.pow(2) * through_scale
        return twice.mul_(alpha * scale).mul_(gradient).add_(gradient), of_alpha


def snake(x: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """Snake activation ``x + sin(alpha x)^2 / alpha`` (Ziyin et al., 2020).

    Args:
        x: ``[B, C, T]``.
        alpha: ``[1, C, 1]``.
    """
    return SnakeFunction.apply(x, alpha)


class Snake(nn.Module):
    """Snake activation with a learnt frequency for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1, channels, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[B, C, T]`` to the same shape."""
        return snake(x, self.alpha)


def conv(inputs: int, outputs: int, kernel: int, **options: int | bool) -> nn.Conv1d:
    """Return a weight-normalised 1-D convolution."""
    return weight_norm(nn.Conv1d(inputs, outputs, kernel, **options))  # type: ignore[arg-type]


def transposed_conv(inputs: int, outputs: int, stride: int) -> nn.ConvTranspose1d:
    """Return a weight-normalised upsampling by ``stride``, its kernel two strides long."""
    layer = nn.ConvTranspose1d(
        inputs,
        outputs,
        kernel_size=2 * stride,
        stride=stride,
        padding=math.ceil(stride / 2),
        output_padding=stride % 2,
    )
    return weight_norm(layer)


class DilatedDepthwise(nn.Conv1d):
    """A dilated depthwise convolution, kernel 7, computed on a CPU as an undilated one.

    oneDNN has kernels for the latter alone, and takes three times as long for the former, forward
    and backward. With time folded into rows of ``dilation`` samples, taps are neighbours in a
    column. The same products are added up in the same order, bias last, so the bits stay.
    """

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__(
            channels, channels, 7, dilation=dilation, padding=3 * dilation, groups=channels
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[B, C, T]`` to the same shape."""
        if x.device.type != "cpu" or torch.onnx.is_in_onnx_export():
            return super().forward(x)  # other engines have kernels of their own
        assert self.bias is not None
        dilation, length = self.dilation[0], x.shape[-1]
        rows = F.pad(x, (0, -length % dilation)).unflatten(-1, (-1, dilation))
        summed = F.conv2d(rows, self.weight[..., None], padding=(3, 0), groups=self.groups)
        return summed.add_(self.bias[:, None, None]).flatten(-2)[..., :length]


class ResidualUnit(nn.Module):
    """Dilated and pointwise convolution around a shortcut; keeps ``[B, C, T]``."""

    def __init__(self, channels: int, dilation: int, groups: int) -> None:
        super().__init__()
        self.is_depthwise = groups > 1
        if groups > 1 and dilation > 1:
            dilated = weight_norm(DilatedDepthwise(channels, dilation))
        else:
            options = {"dilation": dilation, "padding": 3 * dilation, "groups": groups}
            dilated = conv(channels, channels, 7, **options)
        self.block = nn.Sequential(
            Snake(channels),
            dilated,
            Snake(channels),
            conv(channels, channels, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[B, C, T]`` to the same shape."""
        return self.block(x).add_(x)  # into the convolution's output, which nothing else needs


def residual_units(channels: int, groups: int) -> list[nn.Module]:
    """Return the three residual units of a block, dilated by 1, 3 and 9."""
    return [ResidualUnit(channels, dilation, groups) for dilation in (1, 3, 9)]


class EncoderBlock(nn.Module):
    """Residual units, then downsampling: ``[B, C, T]`` to ``[B, 2C, T / stride]``."""

    def __init__(self, inputs: int, stride: int, depthwise: bool) -> None:
        super().__init__()
        self.block = nn.Sequential(
            *residual_units(inputs, groups=inputs if depthwise else 1),
            Snake(inputs),
            conv(inputs, 2 * inputs, 2 * stride, stride=stride, padding=math.ceil(stride / 2)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[B, C, T]`` to ``[B, 2C, T / stride]``."""
        return self.block(x)


class NoiseBlock(nn.Module):
    """Adds noise scaled by a linear function of the features."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = conv(channels, channels, 1, bias=False)

    def forward(self, x: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        """Map features ``[B, C, T]`` and noise ``[B, 1, T]`` to ``[B, C, T]``."""
        return x if noise is None else x + noise * self.linear(x)


class DecoderBlock(nn.Module):
    """Upsampling, noise, residual units: ``[B, C, T]`` to ``[B, C / 2, stride * T]``."""

    def __init__(
        self, inputs: int, outputs: int, stride: int, noise: bool, depthwise: bool
    ) -> None:
        super().__init__()
        self.stride = stride
        self.block = nn.Sequential(
            Snake(inputs),
            transposed_conv(inputs, outputs, stride),
            *([NoiseBlock(outputs)] if noise else []),
            *residual_units(outputs, groups=outputs if depthwise else 1),
        )

    def forward(
        self, x: torch.Tensor, noise: NoiseSource, index: int, start: Position = 0
    ) -> torch.Tensor:
        """Map ``[B, C, T]`` to ``[B, C / 2, stride * T]``.

        Args:
            x: the features.
            noise: for the noise block.
            index: the block's number, which its noise depends on.
            start: position of the first of what comes out; its noise depends on that too.
        """
        for layer in self.block:
            x = layer(x, noise(x, index, start)) if isinstance(layer, NoiseBlock) else layer(x)
        return x
