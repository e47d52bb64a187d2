"""What is minimised: decode a batch's codes, compare each head with its own target."""

import torch
import torch.nn.functional as F
from torch import nn

from snac_model.audio import resample
from snac_model.dual_head import DualHeadSNAC
from snac_model.losses import ReconstructionLoss
from snac_model.noise import SeededNoise
from snac_train.recipe import Loss
from snac_train.segments import Batch
from snac_train.targets import TARGET_RATE

Losses = dict[str, torch.Tensor]


class DualHeadObjective(nn.Module):
    """A dual-head model with its losses; a batch in, every loss of every item out.

    A module of its own so that whatever runs models in parallel wraps the whole of a step.
    """

    def __init__(self, model: DualHeadSNAC, settings: Loss) -> None:
        super().__init__()
        self.model = model
        self.rates = {"24k": model.geometry.sample_rate, "48k": TARGET_RATE}
        self.weights = {"24k": settings.weight_24k, "48k": settings.weight_48k}
        sizes = {"24k": settings.fft_sizes_24k, "48k": settings.fft_sizes_48k}
        self.losses = nn.ModuleDict(
            {
                head: ReconstructionLoss(sizes[head], settings.l1_weight, settings.stft_weight)
                for head in self.rates
            }
        )

    def forward(self, batch: Batch) -> Losses:
        """Return ``loss``, and ``loss``, ``l1`` and ``stft`` of each head, each ``[B]``."""
        return self.compare(self.decode(batch), batch)

    def resampled_baseline(self, batch: Batch) -> Losses:
        """Return the 48 kHz losses of the resampled 24 kHz output: what a new head must beat."""
        outputs = self.decode(batch)
        outputs["48k"] = resample(outputs["24k"], self.rates["24k"], self.rates["48k"])
        losses = self.compare(outputs, batch)
        return {f"resampled/{name}": value for name, value in losses.items() if "48k" in name}

    def decode(self, batch: Batch) -> Losses:
        """Decode the windows: each head's audio ``[B, T]``, context included."""
        with torch.no_grad():
            latents = self.model.quantizer.from_codes(batch.codes)
            latents = latents * _own_frames(batch, latents)
        audio_24k, audio_48k = self.model.decode_latents(latents, SeededNoise(batch.noise_seeds))
        return {"24k": audio_24k[:, 0], "48k": audio_48k[:, 0]}

    def targets(self, batch: Batch) -> Losses:
        """Return the target of each head's segments, ``[B, T]``."""
        targets = {}
        for head, rate in self.rates.items():
            margin = batch.margin * rate // TARGET_RATE
            length = self.model.geometry.sample_span(rate, 0, batch.segment_tokens).stop
            targets[head] = resample(batch.audio, TARGET_RATE, rate)[:, margin : margin + length]
        return targets

    def compare(self, outputs: Losses, batch: Batch) -> Losses:
        """Compare the windows' segments with their targets."""
        losses: Losses = {}
        total = torch.zeros((), device=batch.audio.device)
        targets = self.targets(batch)
        for head, rate in self.rates.items():
            segments = self._cut(outputs[head], rate, batch)
            parts = self.losses[head](segments, targets[head], batch.valid[rate])
            losses |= {f"{head}/{name}": value for name, value in parts.items()}
            total = total + self.weights[head] * parts["loss"]
        return {"loss": total, **losses}

    def _cut(self, audio: torch.Tensor, rate: int, batch: Batch) -> torch.Tensor:
        """Cut each item's segment out of its window, ``[B, T]`` to ``[B, t]``."""
        geometry, length = self.model.geometry, batch.segment_tokens
        return torch.stack(
            [
                window[geometry.sample_span(rate, offset, length)]
                for window, offset in zip(audio, batch.offsets, strict=True)
            ]
        )


def _own_frames(batch: Batch, latents: torch.Tensor) -> torch.Tensor:
    """Ones over the latent frames of the utterance's own tokens, ``[B, 1, frames]``."""
    size = batch.codes[0].shape[-1]
    own = torch.arange(size, device=latents.device) < batch.tokens[:, None]
    return F.interpolate(own[:, None].to(latents.dtype), latents.shape[-1])
