"""Reconstruction losses: L1 on the waveform, and the multi-scale STFT loss.

Every loss is a mean over each item's own samples or frames, then over the batch: the batch's loss
is the mean of its items' losses, however the batch is split over processes.
"""

from collections.abc import Sequence

import torch
from torch import nn

MAGNITUDE_FLOOR = 1e-5
QUIET_RMS = 1e-3  # -60 dBFS


def masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean over the last axis where ``mask`` ``[B, T]`` is set, ``[B, T]`` to ``[B]``."""
    return (values * mask).sum(-1) / mask.sum(-1).clamp_min(1)


def l1_loss(prediction: torch.Tensor, target: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of ``[B, T]`` over the ``valid`` ``[B]`` samples: ``[B]``."""
    return masked_mean((prediction - target).abs(), valid_mask(prediction, valid))


def mean_over_sizes(by_size: dict[int, torch.Tensor]) -> torch.Tensor:
    """Average the losses ``[B]`` of several window sizes: ``[B]``."""
    return torch.stack(list(by_size.values())).mean(0)


def magnitudes(audio: torch.Tensor, window: torch.Tensor) -> torch.Tensor:
    """Return magnitudes, floored so that their log is finite, at a hop of a quarter window.

    Args:
        audio: ``[B, T]``.
        window: ``[size]``.

    Returns:
        ``[B, size / 2 + 1, frames]``.
    """
    spectrum = torch.stft(
        audio,
        n_fft=len(window),
        hop_length=len(window) // 4,
        window=window,
        pad_mode="constant",
        return_complex=True,
    )
    power = spectrum.real.pow(2) + spectrum.imag.pow(2)
    return power.clamp_min(MAGNITUDE_FLOOR**2).sqrt()


class MultiScaleSTFTLoss(nn.Module):
    """Spectral convergence plus log-magnitude L1, averaged over window sizes.

    As in Parallel WaveGAN (Yamamoto et al., 2020): Hann windows, hop of a quarter window. The
    convergence is relative to the target, but to no target quieter than noise at ``QUIET_RMS``:
    digital silence would otherwise outweigh everything else in a batch. A frame counts if its
    centre lies in the item's own audio or at its end; what lies beyond is silence in both signals.
    """

    def __init__(self, fft_sizes: Sequence[int]) -> None:
        super().__init__()
        self.fft_sizes = tuple(fft_sizes)
        for size in self.fft_sizes:
            self.register_buffer(f"window_{size}", torch.hann_window(size), persistent=False)

    def forward(
        self, prediction: torch.Tensor, target: torch.Tensor, valid: torch.Tensor
    ) -> torch.Tensor:
        """Return each item's loss over its ``valid`` ``[B]`` samples, ``[B, T]`` to ``[B]``."""
        return mean_over_sizes(self.by_size(prediction, target, valid))

    def by_size(
        self, prediction: torch.Tensor, target: torch.Tensor, valid: torch.Tensor
    ) -> dict[int, torch.Tensor]:
        """Return the loss ``[B]`` at each window size."""
        mask = valid_mask(prediction, valid)
        prediction, target = prediction * mask, target * mask
        return {size: self._one_size(prediction, target, valid, size) for size in self.fft_sizes}

    def _one_size(
        self, prediction: torch.Tensor, target: torch.Tensor, valid: torch.Tensor, size: int
    ) -> torch.Tensor:
        estimated, reference = self._magnitude(prediction, size), self._magnitude(target, size)
        frames = torch.div(valid, size // 4, rounding_mode="floor") + 1
        mask = valid_mask(reference[:, 0], frames)
        difference = ((estimated - reference).pow(2).sum(1) * mask).sum(-1)
        energy = (reference.pow(2).sum(1) * mask).sum(-1)
        quiet = mask.sum(-1) * reference.shape[1] * self._quiet_power(size)
        convergence = (difference / torch.maximum(energy, quiet)).clamp_min(1e-12).sqrt()
        log_ratio = (estimated.log() - reference.log()).abs().mean(1)
        return convergence + masked_mean(log_ratio, mask)

    def _quiet_power(self, size: int) -> torch.Tensor:
        """Power that white noise at ``QUIET_RMS`` has in each bin."""
        return QUIET_RMS**2 * self.get_buffer(f"window_{size}").pow(2).sum()

    def _magnitude(self, audio: torch.Tensor, size: int) -> torch.Tensor:
        return magnitudes(audio, self.get_buffer(f"window_{size}"))


class ReconstructionLoss(nn.Module):
    """L1 plus weighted multi-scale STFT loss, in float32 whatever the inputs are."""

    def __init__(self, fft_sizes: Sequence[int], l1_weight: float, stft_weight: float) -> None:
        super().__init__()
        self.stft = MultiScaleSTFTLoss(fft_sizes)
        self.l1_weight = l1_weight
        self.stft_weight = stft_weight

    def forward(
        self, prediction: torch.Tensor, target: torch.Tensor, valid: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Return ``loss``, ``l1`` and ``stft``, each ``[B]``.

        Args:
            prediction: ``[B, T]``.
            target: ``[B, T]``.
            valid: samples of each item that are its own, int64 ``[B]``.
        """
        parts = self.parts(prediction, target, valid)
        return {name: parts[name] for name in ("loss", "l1", "stft")}

    def parts(
        self, prediction: torch.Tensor, target: torch.Tensor, valid: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Return what ``forward`` does, and ``stft_<size>`` for each window size."""
        prediction, target = prediction.float(), target.float()
        l1 = l1_loss(prediction, target, valid)
        by_size = self.stft.by_size(prediction, target, valid)
        stft = mean_over_sizes(by_size)
        return {
            "loss": self.l1_weight * l1 + self.stft_weight * stft,
            "l1": l1,
            "stft": stft,
            **{f"stft_{size}": value for size, value in by_size.items()},
        }


def valid_mask(like: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Ones up to each item's valid length, ``[B, T]``."""
    position = torch.arange(like.shape[-1], device=like.device)
    return (position < valid[:, None]).to(like.dtype)
