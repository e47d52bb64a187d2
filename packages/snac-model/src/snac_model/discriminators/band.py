"""A discriminator that sees a complex spectrogram, band by band."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from snac_model.discriminators.period import SLOPE

WIDE = ((3, 9), (1, 2), (1, 4))  # kernel, stride and padding along frames and frequencies
LAYERS = (((3, 9), (1, 1), (1, 4)), WIDE, WIDE, WIDE, ((3, 3), (1, 1), (1, 1)))


class BandDiscriminator(nn.Module):
    """Looks at the complex short-time spectrum in bands that have layers of their own.

    The multi-band spectral discriminator of the Descript Audio Codec (Kumar et al., 2023): Hann
    windows, hop of a quarter window, and one score over all bands.

    Args:
        window: in samples.
        edges: of the bands, as shares of the Nyquist frequency, from 0 to 1.
        channels: of each convolution.
    """

    def __init__(self, window: int, edges: Sequence[float], channels: int) -> None:
        super().__init__()
        self.window = window
        bins = window // 2 + 1
        self.bands = [(int(low * bins), int(high * bins)) for low, high in pairwise(edges)]
        self.register_buffer("hann", torch.hann_window(window), persistent=False)
        self.stacks = nn.ModuleList(_stack(channels) for _ in self.bands)
        self.score = weight_norm(nn.Conv2d(channels, 1, (3, 3), padding=(1, 1)))

    def forward(self, audio: torch.Tensor) -> list[torch.Tensor]:
        """Return each layer's output of each band, the score last.

        Args:
            audio: ``[B, T]``.

        Returns:
            Of each layer ``[B, C, frames, frequencies]``; of the score, ``C`` is 1.
        """
        spectrum = self.spectrum(audio)
        outputs, ends = [], []
        for (low, high), stack in zip(self.bands, self.stacks, strict=True):
            x = spectrum[..., low:high]
            for layer in stack.children():
                x = F.leaky_relu(layer(x), SLOPE)
                outputs.append(x)
            ends.append(x)
        return [*outputs, self.score(torch.cat(ends, dim=-1))]

    def spectrum(self, audio: torch.Tensor) -> torch.Tensor:
        """Return real and imaginary parts, ``[B, T]`` to ``[B, 2, frames, frequencies]``.

        Scaled by the root of the window's length, so that noise is about as loud in every window.
        """
        spectrum = torch.stft(
            audio,
            n_fft=self.window,
            hop_length=self.window // 4,
            window=self.get_buffer("hann"),
            pad_mode="constant",
            normalized=True,
            return_complex=True,
        )
        return torch.view_as_real(spectrum).permute(0, 3, 2, 1)


def _stack(channels: int) -> nn.ModuleList:
    return nn.ModuleList(
        weight_norm(nn.Conv2d(channels if number else 2, channels, kernel, stride, padding=padding))
        for number, (kernel, stride, padding) in enumerate(LAYERS)
    )
