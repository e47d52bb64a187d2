"""A TorchScript pair with Sidon's interfaces, small enough for a test: a channel vocoder.

The feature extractor passes the log-mel features on; the decoder plays one tone a mel band, as
loud as the features say, so that its target has the source's envelopes and phases of its own.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

MEL_BANDS = 80
SPEECH_BANDS = 54  # up to 3.4 kHz, where the tests' syllables end
CONTRAST = 5.0  # the preprocessor evens out each band's range; this undoes it, near enough
EARLY = 390  # samples that interpolation and the dropped 150 make the vocoder early

PREPROCESSOR = {
    "feature_extractor_type": "SeamlessM4TFeatureExtractor",
    "feature_size": MEL_BANDS,
    "num_mel_bins": MEL_BANDS,
    "padding_side": "right",
    "padding_value": 1,
    "return_attention_mask": True,
    "sampling_rate": 16000,
    "stride": 2,
}


class PassFeatures(nn.Module):
    """Returns its input under the name that w2v-BERT gives its output."""

    def forward(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """Take ``[B, frames, 160]``."""
        return {"last_hidden_state": features}


class Vocoder(nn.Module):
    """Plays one tone a mel band; ``late`` samples late, backwards if asked."""

    def __init__(self, late: int = 0, backwards: bool = False) -> None:
        super().__init__()
        self.late = late + EARLY
        self.backwards = backwards
        self.contrast = CONTRAST
        top = 2595 * torch.log10(torch.tensor(1 + 8000 / 700))
        mels = torch.arange(1, MEL_BANDS + 1) / (MEL_BANDS + 1) * top
        self.hertz = nn.Buffer((700 * (10 ** (mels / 2595) - 1))[:SPEECH_BANDS])

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Take ``[B, 160, frames]``; return ``[B, 1, 960 * frames]``."""
        frames = features.shape[2] * 2
        levels = features.transpose(1, 2).reshape(-1, frames, 80).transpose(1, 2)
        loudness = F.interpolate(
            torch.exp(self.contrast * levels[:, : len(self.hertz)]),
            scale_factor=480.0,
            mode="linear",
        )
        time = torch.arange(loudness.shape[2]) / 48000.0
        tones = torch.sin(6.2831853 * self.hertz[:, None] * time)
        audio = 0.01 * (loudness * tones).sum(dim=1, keepdim=True)
        if self.backwards:
            audio = audio.flip(2)
        return F.pad(audio, (self.late, 0))[:, :, : loudness.shape[2]]


class Remembers(nn.Module):
    """A linear decoder that looks back as far as a chunk's lead-in reaches: five frames."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.kernel = nn.Buffer(torch.randn(960, 160, 6, generator=generator))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Take ``[B, 160, frames]``; return ``[B, 1, 960 * frames]``."""
        samples = F.conv1d(F.pad(features, (5, 0)), self.kernel)
        return samples.transpose(1, 2).flatten(1)[:, None]


class ForOne(Vocoder):
    """Was made for one utterance: it refuses a batch, or takes it for one long utterance."""

    def __init__(self, mixes: bool) -> None:
        super().__init__()
        self.mixes = mixes

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Take ``[1, 160, frames]``; return ``[1, 1, 960 * frames]``."""
        if self.mixes:
            features = features.mean(dim=0, keepdim=True).expand_as(features)
        elif len(features) > 1:
            raise RuntimeError("The size of tensor a (1) must match the size of tensor b")
        return super().forward(features)


class SmallDevice(Vocoder):
    """Has memory for so many frames at once."""

    def __init__(self, most_frames: int) -> None:
        super().__init__()
        self.most_frames = most_frames

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Take ``[B, 160, frames]``; return ``[B, 1, 960 * frames]``."""
        if features.shape[0] * features.shape[2] > self.most_frames:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return super().forward(features)


def save_pair(folder: Path, decoder: nn.Module) -> list[str]:
    """Write the pair and the preprocessor's configuration; return the command's options."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.jit.script(PassFeatures()).save(folder / "feature_extractor.pt")
    torch.jit.script(decoder).save(folder / "decoder.pt")
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))
    return [
        *("--sidon-feature-extractor", str(folder / "feature_extractor.pt")),
        *("--sidon-decoder", str(folder / "decoder.pt")),
        *("--sidon-preprocessor", str(folder)),
    ]
