"""Multi-scale mel loss: how far two signals are apart in mel spectra of several window sizes."""

import warnings
from collections.abc import Sequence

import torch
from torch import nn
from torchaudio.functional import melscale_fbanks

from snac_model.losses.reconstruction import (
    MAGNITUDE_FLOOR,
    magnitudes,
    masked_mean,
    mean_over_sizes,
    valid_mask,
)

BANDS_PER_WINDOW = 5 / 32  # mel bands for each sample of the window, as DAC has them


class MultiScaleMelLoss(nn.Module):
    """Mean absolute difference of log10 mel magnitudes, averaged over window sizes.

    As in the Descript Audio Codec (Kumar et al., 2023): Hann windows, hop of a quarter window, 5
    mel bands in a window of 32 samples and twice as many in one of twice the length; bands that are
    narrower than the spectrum's resolution, and so hold nothing, are left out.

    Args:
        rate: of the audio, in Hz.
        windows: their sizes in samples.
    """

    def __init__(self, rate: int, windows: Sequence[int]) -> None:
        super().__init__()
        self.windows = tuple(windows)
        for size in self.windows:
            self.register_buffer(f"window_{size}", torch.hann_window(size), persistent=False)
            self.register_buffer(f"bands_{size}", _bands(size, rate), persistent=False)

    def forward(
        self, prediction: torch.Tensor, target: torch.Tensor, valid: torch.Tensor
    ) -> torch.Tensor:
        """Return each item's loss over its ``valid`` ``[B]`` samples, ``[B, T]`` to ``[B]``."""
        mask = valid_mask(prediction, valid)
        prediction, target = prediction * mask, target * mask
        return mean_over_sizes(
            {size: self._one_size(prediction, target, valid, size) for size in self.windows}
        )

    def _one_size(
        self, prediction: torch.Tensor, target: torch.Tensor, valid: torch.Tensor, size: int
    ) -> torch.Tensor:
        difference = (self.log_mel(prediction, size) - self.log_mel(target, size)).abs().mean(1)
        frames = torch.div(valid, size // 4, rounding_mode="floor") + 1
        return masked_mean(difference, valid_mask(difference, frames))

    def log_mel(self, audio: torch.Tensor, size: int) -> torch.Tensor:
        """Return log10 mel magnitudes, ``[B, T]`` to ``[B, bands, frames]``."""
        magnitude = magnitudes(audio, self.get_buffer(f"window_{size}"))
        bands = torch.einsum("fm,bft->bmt", self.get_buffer(f"bands_{size}"), magnitude)
        return bands.clamp_min(MAGNITUDE_FLOOR).log10()


def _bands(size: int, rate: int) -> torch.Tensor:
    """Return the mel filters that hold anything, ``[size / 2 + 1, bands]``."""
    count = max(1, round(size * BANDS_PER_WINDOW))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "At least one mel filterbank has all zero values")
        bands = melscale_fbanks(size // 2 + 1, 0.0, rate / 2, count, rate, "slaney", "slaney")
    return bands[:, bands.sum(0) > 0]
