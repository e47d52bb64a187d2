"""All discriminators of a model: a set for each output rate."""

import torch
from torch import nn

from snac_model.discriminators.band import BandDiscriminator
from snac_model.discriminators.config import DiscriminatorConfig
from snac_model.discriminators.period import PeriodDiscriminator

Maps = list[list[torch.Tensor]]  # of each discriminator each layer's output, the score last


class Discriminators(nn.Module):
    """A set of discriminators for each output rate of a decoder.

    Args:
        config: which there are.
        seed: of the first weights; the generator that other layers draw from stays as it is. None
            draws from that one.
    """

    def __init__(self, config: DiscriminatorConfig, seed: int | None = None) -> None:
        super().__init__()
        self.config = config
        if seed is None:
            self.sets = self._make()
        else:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self.sets = self._make()

    def _make(self) -> nn.ModuleDict:
        return nn.ModuleDict({str(rate): self._set() for rate in self.config.rates})

    def _set(self) -> nn.ModuleList:
        config = self.config
        periods = [PeriodDiscriminator(each, config.period_channels) for each in config.periods]
        bands = [
            BandDiscriminator(window, config.band_edges, config.band_channels)
            for window in config.window_sizes
        ]
        return nn.ModuleList([*periods, *bands])

    def forward(self, audio: torch.Tensor, rate: int) -> Maps:
        """Return what each discriminator of a rate makes of audio.

        Args:
            audio: ``[B, T]`` at ``rate`` Hz, of the loudness that it was trained with.

        Returns:
            A list of maps ``[B, C, time, ...]`` for each discriminator, its score last.
        """
        return [discriminator(audio) for discriminator in self.sets[str(rate)].children()]
