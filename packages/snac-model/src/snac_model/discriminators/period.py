"""A discriminator that sees every period-th sample of a waveform side by side."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

KERNEL, STRIDE = 5, 3
SLOPE = 0.1  # of what a leaky ReLU lets through below zero


class PeriodDiscriminator(nn.Module):
    """Folds a waveform into ``period`` columns and looks at each alone.

    The multi-period discriminator of HiFi-GAN (Kong et al., 2020), as the Descript Audio Codec has
    it; the waveform is filled up with zeros.

    Args:
        period: samples from one row to the next.
        channels: of the convolutions, all but the last of which stride by three along time.
    """

    def __init__(self, period: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.period = period
        inputs = (1, *channels[:-1])
        last = len(channels) - 1
        self.layers = nn.ModuleList(
            weight_norm(
                nn.Conv2d(
                    before,
                    after,
                    (KERNEL, 1),
                    (1 if number == last else STRIDE, 1),
                    padding=(KERNEL // 2, 0),
                )
            )
            for number, (before, after) in enumerate(zip(inputs, channels, strict=True))
        )
        self.score = weight_norm(nn.Conv2d(channels[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, audio: torch.Tensor) -> list[torch.Tensor]:
        """Return each layer's output, the score last.

        Args:
            audio: ``[B, T]``.

        Returns:
            Of each layer ``[B, C, rows, period]``; of the score, ``C`` is 1.
        """
        fill = -audio.shape[-1] % self.period
        x = F.pad(audio, (0, fill)).unflatten(-1, (-1, self.period))[:, None]
        outputs = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
            outputs.append(x)
        return [*outputs, self.score(x)]
