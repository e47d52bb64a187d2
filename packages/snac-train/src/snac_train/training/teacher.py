"""The teacher of a new decoder: another decoder's audio of the same codes.

It is a function of the codes, so that waveforms and phases can be learnt from it with plain losses.
Of real speech the codes tell too little for that.
"""

from collections.abc import Mapping

import torch

from snac_model.audio.reading import resample
from snac_model.codec.snac import SNAC
from snac_model.layers.noise import no_noise
from snac_model.layers.segments import Features, Segments, cut


class Teacher:
    """Decodes what is to be imitated, without noise.

    Args:
        model: whose decoder it is; its tokens are those of the model that learns.
        heads: rates to imitate, in Hz, by the heads' names.
    """

    def __init__(self, model: SNAC, heads: Mapping[str, int]) -> None:
        self.model = model
        self.heads = heads

    @torch.no_grad()
    def segments(self, latents: torch.Tensor, segments: Segments) -> dict[str, torch.Tensor]:
        """Return each head's segments ``[B, T]`` of quantized latents ``[B, C, frames]``.

        A rate that the teacher does not have is its highest one, resampled.
        """
        own = self.model.geometry.output_rates
        lacking = set(self.heads.values()).difference(own)
        with torch.autocast(latents.device.type, enabled=False):
            whole = self.model.decode_latents(latents, no_noise, None if lacking else segments)
        audio = {rate: samples[:, 0] for rate, samples in whole.items()}
        for rate in lacking:
            audio[rate] = resample(audio[own[-1]], own[-1], rate)
        if lacking:
            audio = {rate: self._cut(samples, rate, segments) for rate, samples in audio.items()}
        return {head: audio[rate] for head, rate in self.heads.items()}

    def _cut(self, audio: torch.Tensor, rate: int, segments: Segments) -> torch.Tensor:
        """Cut the segments out of windows ``[B, T]``."""
        samples = self.model.geometry.samples_per_frame(rate)
        return cut(Features(audio[:, None]), segments, samples).values[:, 0]
