"""A head of the Fourier decoder: features to spectra, and those to audio at one rate."""

import math

import torch
from torch import nn

from snac_model.decoders.fourier.inverse_stft import InverseSTFT
from snac_model.layers.noise import NoiseSource, Position
from snac_model.shapes.fourier_config import WINDOW_REACH


class FourierHead(nn.Module):
    """Features ``[B, C, T]`` to audio ``[B, 1, T * hop]``, in float32.

    A linear map gives the logarithm of each magnitude, and each phase.
    """

    margin = WINDOW_REACH

    def __init__(self, channels: int, hop: int) -> None:
        super().__init__()
        self.inverse = InverseSTFT(hop)
        self.linear = nn.Linear(channels, self.inverse.n_fft + 2)
        # of twice the spectrum of a sine at full scale, whose exponential is far from overflow
        self.loudest = math.log(self.inverse.n_fft / 2)

    def forward(
        self, features: torch.Tensor, noise: NoiseSource, start: Position = 0
    ) -> torch.Tensor:
        """Map ``[B, C, T]`` to ``[B, 1, T * hop]``; there is no noise in it."""
        return self.inverse(*self.spectra(features.transpose(1, 2)))[:, None]

    def spectra(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map ``[B, T, C]`` to real and imaginary parts, each ``[B, T, n_fft / 2 + 1]``."""
        logarithm, phase = self.linear(features).float().chunk(2, -1)
        magnitude = logarithm.clamp_max(self.loudest).exp()
        return magnitude * phase.cos(), magnitude * phase.sin()
