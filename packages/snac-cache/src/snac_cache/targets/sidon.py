"""Sidon: speech restoration that resynthesises speech at 48 kHz (Nakata et al. 2025).

A w2v-BERT 2.0 that predicts clean features, 50 frames a second, and a vocoder that turns a frame
into 960 samples. This follows the authors' published inference, which cuts long audio into chunks.
"""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torchaudio.functional import highpass_biquad

from snac_common.errors import Failure
from snac_model.audio.reading import resample
from snac_model.shapes.geometry import resampled_length

INPUT_RATE = 16_000
HIGH_PASS_HZ = 50.0
PEAK = 0.9
END_PADDING = 24_000  # 1.5 s, at least
LENGTH_STEP = 8_000  # 0.5 s: padded lengths are whole multiples of it
CHUNK_SAMPLES = 60 * INPUT_RATE
CHUNK_MARGIN = 40  # samples to each side
OVERLAP_FRAMES = 5
FIRST_DROPPED, OVERLAP_DROPPED = 150, 4_800  # samples at 48 kHz

Features = list[torch.Tensor]  # of one utterance: log-mel ``[frames, 160]`` of each chunk


def padded_samples(num_frames: int, sample_rate: int) -> int:
    """Return the samples at 16 kHz that an utterance is padded to.

    Its own length alone decides, so that a target does not depend on what else is in its batch;
    and the steps are coarse, so that there are others of the same length.
    """
    needed = resampled_length(num_frames, sample_rate, INPUT_RATE) + END_PADDING
    return -(-needed // LENGTH_STEP) * LENGTH_STEP


class Sidon:
    """The two TorchScript halves and the preprocessor in front of them.

    Args:
        preprocessor: a SeamlessM4T feature extractor.
        feature_extractor: log-mel features ``[B, frames, 160]`` to a dictionary with
            ``last_hidden_state``, ``[B, frames, features]``.
        decoder: ``[B, features, frames]`` to ``[B, 1, 960 * frames]``.
        device: of the two halves.
    """

    def __init__(
        self,
        preprocessor: Any,
        feature_extractor: torch.nn.Module,
        decoder: torch.nn.Module,
        device: str,
    ) -> None:
        self.preprocessor = preprocessor
        self.feature_extractor = feature_extractor
        self.decoder = decoder
        self.device = device

    def prepare(self, audio: torch.Tensor, sample_rate: int) -> Features:
        """Compute the features of ``[T]``, on the CPU; several threads may do so at once.

        Raises:
            Failure: if the preprocessor fails.
        """
        scaled = audio * (PEAK / audio.abs().max().clamp_min(1e-6))
        filtered = highpass_biquad(scaled, sample_rate, HIGH_PASS_HZ)
        low = resample(filtered, sample_rate, INPUT_RATE)
        padded = F.pad(low, (0, padded_samples(len(audio), sample_rate) - len(low)))
        return [self._features(chunk) for chunk in padded.split(CHUNK_SAMPLES)]

    @torch.inference_mode()
    def resynthesise(self, batch: list[Features]) -> torch.Tensor:
        """Resynthesise utterances of equal padded length.

        Returns:
            48 kHz audio ``[B, T]`` on the CPU, of about their padded length, at levels of its own.

        Raises:
            RuntimeError, LookupError, TypeError, torch.jit.Error: if one of the halves fails.
        """
        return torch.cat(list(self._chunks(batch)), dim=1)

    def _chunks(self, batch: list[Features]) -> Iterator[torch.Tensor]:
        """Yield the audio of each chunk; a chunk's last frames lead into the next one."""
        lead_in: torch.Tensor | None = None
        for chunks in zip(*batch, strict=True):
            outputs = self.feature_extractor(torch.stack(chunks).to(self.device))
            features: torch.Tensor = outputs["last_hidden_state"]
            dropped = FIRST_DROPPED
            if lead_in is not None:
                features = torch.cat([lead_in, features], dim=1)
                dropped = OVERLAP_DROPPED
            lead_in = features[:, -OVERLAP_FRAMES:]
            audio: torch.Tensor = self.decoder(features.transpose(1, 2))
            yield audio.flatten(start_dim=1)[:, dropped:].float().cpu()

    def _features(self, chunk: torch.Tensor) -> torch.Tensor:
        """Return the log-mel features ``[frames, 160]`` of 16 kHz audio ``[T]``."""
        padded = F.pad(chunk, (CHUNK_MARGIN, CHUNK_MARGIN)).numpy()
        try:
            inputs = self.preprocessor(padded, sampling_rate=INPUT_RATE, return_tensors="pt")
            features: torch.Tensor = inputs["input_features"][0]
        except (RuntimeError, LookupError, TypeError, ValueError) as error:
            raise Failure(f"Sidon's preprocessor failed: {error!r}") from error
        return features
