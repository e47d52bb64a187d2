"""Sidon: speech restoration that resynthesises speech at 48 kHz (Nakata et al. 2025).

A w2v-BERT 2.0 that predicts clean features, 50 frames a second, and a vocoder that turns a frame
into 960 samples. This follows the authors' published inference, which cuts long audio into chunks.
"""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torchaudio.functional import highpass_biquad

from snac_model.audio import resample
from snac_model.errors import Failure

INPUT_RATE = 16_000
HIGH_PASS_HZ = 50.0
PEAK = 0.9
END_PADDING = 24_000  # 1.5 s
CHUNK_SAMPLES = 60 * INPUT_RATE
CHUNK_MARGIN = 40  # samples to each side
SHORTEST_CHUNK = 1_600  # a shorter rest lies within the end padding and has too few frames
OVERLAP_FRAMES = 5
FIRST_DROPPED, OVERLAP_DROPPED = 150, 4_800  # samples at 48 kHz


class Sidon:
    """The two TorchScript halves and the preprocessor in front of them.

    Args:
        preprocessor: a SeamlessM4T feature extractor.
        feature_extractor: log-mel features ``[1, frames, 160]`` to a dictionary with
            ``last_hidden_state``, ``[1, frames, features]``.
        decoder: ``[1, features, frames]`` to ``[1, 1, 960 * frames]``.
    """

    def __init__(
        self,
        preprocessor: Any,
        feature_extractor: torch.jit.ScriptModule,
        decoder: torch.jit.ScriptModule,
        device: str,
    ) -> None:
        self.preprocessor = preprocessor
        self.feature_extractor = feature_extractor
        self.decoder = decoder
        self.device = device

    @torch.inference_mode()
    def __call__(self, audio: torch.Tensor, sample_rate: int) -> torch.Tensor:
        """Resynthesise ``[T]``; returns 48 kHz audio of about its length, at a level of its own.

        Raises:
            Failure: if one of the halves fails.
        """
        scaled = audio * (PEAK / audio.abs().max().clamp_min(1e-6))
        filtered = highpass_biquad(scaled, sample_rate, HIGH_PASS_HZ)
        padded = F.pad(resample(filtered, sample_rate, INPUT_RATE), (0, END_PADDING))
        try:
            return torch.cat(list(self._resynthesise(padded)))
        except (RuntimeError, LookupError, TypeError) as error:
            raise Failure(
                f"Sidon failed: {error}\nAre its two files a pair, and made for {self.device}?"
            ) from error

    def _resynthesise(self, audio: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield the 48 kHz audio of each chunk; a chunk's last frames lead into the next one."""
        lead_in: torch.Tensor | None = None
        for chunk in audio.split(CHUNK_SAMPLES):
            if len(chunk) < SHORTEST_CHUNK:
                return
            features = self._features(chunk)
            dropped = FIRST_DROPPED
            if lead_in is not None:
                features = torch.cat([lead_in, features], dim=1)
                dropped = OVERLAP_DROPPED
            lead_in = features[:, -OVERLAP_FRAMES:]
            yield self.decoder(features.transpose(1, 2)).flatten()[dropped:].float().cpu()

    def _features(self, chunk: torch.Tensor) -> torch.Tensor:
        """Predict the clean features ``[1, frames, features]`` of 16 kHz audio ``[T]``."""
        padded = F.pad(chunk, (CHUNK_MARGIN, CHUNK_MARGIN)).numpy()
        inputs = self.preprocessor(padded, sampling_rate=INPUT_RATE, return_tensors="pt")
        outputs = self.feature_extractor(inputs["input_features"].to(self.device))
        features: torch.Tensor = outputs["last_hidden_state"]
        return features
