"""The inverse STFT, whose output is as long as its hops."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from snac_model.shapes.fourier_config import OVERLAP

TRIMMED_HALF_HOPS = 3  # at each end, of what the windows cover; three halves of a hop


class InverseSTFT(nn.Module):
    """Spectra ``[B, T, n_fft / 2 + 1]`` to audio ``[B, T * hop]``, with windows of four hops.

    Each spectrum's window is centred on its own hop, and what lies beyond the first and the last
    hop is cut off ("same" padding, as in Vocos; Siuzdak, 2023). The sum of windowed frames is
    divided by the sum of squared windows, which differs from 1.5 only near both ends.

    Args:
        hop: samples from one spectrum to the next; even.
    """

    window: torch.Tensor

    def __init__(self, hop: int) -> None:
        super().__init__()
        self.window: torch.Tensor
        self.hop = hop
        self.n_fft = OVERLAP * hop
        self.trimmed = TRIMMED_HALF_HOPS * hop // 2
        window = torch.hann_window(self.n_fft, periodic=True)
        self.register_buffer("window", window, persistent=False)

    def forward(self, real: torch.Tensor, imaginary: torch.Tensor) -> torch.Tensor:
        """Map the parts of spectra, each ``[B, T, n_fft / 2 + 1]``, to audio ``[B, T * hop]``."""
        frames = self.frames(real, imaginary)
        squared = torch.ones_like(frames[:1, :, :1]) * self.window.square()
        sums, squares = (
            overlap_add(each, self.hop)[:, self.trimmed : -self.trimmed]
            for each in (frames, squared)
        )
        return sums / squares

    def frames(self, real: torch.Tensor, imaginary: torch.Tensor) -> torch.Tensor:
        """Return windowed frames ``[B, T, n_fft]``."""
        if torch.onnx.is_in_onnx_export():  # which has no inverse FFT, but has matrices
            frames = inverse_by_products(real, imaginary, self.n_fft)
        elif not real.numel():  # of which some libraries' inverse FFT makes an error
            frames = real.new_zeros(*real.shape[:2], self.n_fft)
        else:
            frames = torch.fft.irfft(torch.complex(real, imaginary), n=self.n_fft)
        return frames.mul_(self.window)


def overlap_add(frames: torch.Tensor, hop: int) -> torch.Tensor:
    """Add up frames ``[B, T, 4 * hop]`` that follow each other by a hop: ``[B, (T + 3) * hop]``."""
    quarters = frames.unflatten(-1, (OVERLAP, hop))
    total = torch.zeros((), device=frames.device)
    for number in range(OVERLAP):
        total = total + F.pad(quarters[:, :, number], (0, 0, number, OVERLAP - 1 - number))
    return total.flatten(1)


def inverse_by_products(real: torch.Tensor, imaginary: torch.Tensor, n_fft: int) -> torch.Tensor:
    """Return the inverse FFT of spectra, ``[..., n_fft / 2 + 1]`` to ``[..., n_fft]``.

    Cosines are even and sines odd in time, so that half of either matrix is enough.
    """
    cosines, sines = (part.to(real.device) for part in _halves_of_inverse(n_fft))
    even, odd = real @ cosines, imaginary @ sines
    mirrored = torch.arange(n_fft // 2 - 1, 0, -1, device=real.device)
    return torch.cat((even - odd, (even + odd).index_select(-1, mirrored)), -1)


def _halves_of_inverse(n_fft: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return cosines and sines of all bins over the first half of time, ``[bins, bins]``."""
    steps = np.arange(n_fft // 2 + 1)
    angles = 2 * np.pi / n_fft * (np.outer(steps, steps) % n_fft)
    weights = np.where(2 * steps % n_fft == 0, 1, 2)[:, None] / n_fft
    cosines, sines = (weights * curve(angles) for curve in (np.cos, np.sin))
    return torch.from_numpy(cosines).float(), torch.from_numpy(sines).float()
