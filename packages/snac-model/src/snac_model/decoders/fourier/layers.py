"""Layers of the Fourier decoder."""

import torch
import torch.nn.functional as F
from torch import nn

SCALE = 0.125  # of a block's branch at first
SPREAD = 0.02  # of random weights


class BoundedConvolution(nn.Conv1d):
    """A convolution that sees ``ahead`` positions after its own, and the others before."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, ahead: int = 0, groups: int = 1
    ) -> None:
        super().__init__(inputs, outputs, kernel, groups=groups)
        self.before, self.after = kernel - 1 - ahead, ahead

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[B, C, T]`` to ``[B, C', T]``."""
        return super().forward(F.pad(x, (self.before, self.after)))


class Widening(nn.Linear):
    """A linear map of each position to several: ``[B, C, T]`` to ``[B, C', growth * T]``."""

    def __init__(self, inputs: int, outputs: int, growth: int) -> None:
        super().__init__(inputs, outputs * growth)
        self.outputs, self.growth = outputs, growth

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[B, C, T]`` to ``[B, C', growth * T]``."""
        y = super().forward(x.transpose(1, 2)).unflatten(-1, (self.growth, self.outputs))
        return y.flatten(1, 2).transpose(1, 2)


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of ``[B, C, T]``."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[B, C, T]`` to the same shape."""
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class ConvNeXtBlock(nn.Module):
    """A causal ConvNeXt block in one dimension (Liu et al., 2022); keeps ``[B, C, T]``."""

    def __init__(self, channels: int, hidden: int, kernel: int) -> None:
        super().__init__()
        self.depthwise = BoundedConvolution(channels, channels, kernel, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, hidden)
        self.narrow = nn.Linear(hidden, channels)
        self.scale = nn.Parameter(torch.full((channels,), SCALE))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[B, C, T]`` to the same shape."""
        return x + self.pointwise(self.depthwise(x).transpose(1, 2)).transpose(1, 2)

    def pointwise(self, y: torch.Tensor) -> torch.Tensor:
        """Do what looks at one position at a time: ``[B, T, C]`` to the same shape."""
        return self.scale * self.narrow(F.gelu(self.widen(self.norm(y))))


def initialise(module: nn.Module) -> None:
    """Draw small weights for convolutions and linear maps, without biases."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv1d | nn.Linear):
            nn.init.trunc_normal_(layer.weight, std=SPREAD)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
