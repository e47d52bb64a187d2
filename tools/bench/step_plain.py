"""A training step as people write it first; prints its cost as JSON.

The official package's modules with a second head beside the first, float32, gradients for
everything in both stages, and the losses spelt out.
"""

import json
import sys

import snac
import torch
from snac.layers import DecoderBlock, Snake1d, WNConv1d
from step_cost import Asked, StepCost, measure
from torch import nn

from snac_model.shapes.config import SNAC_24KHZ

Audio = tuple[torch.Tensor, torch.Tensor]
FFT_SIZES = ((1024, 2048, 4096), (1024, 2048, 4096, 8192))
WEIGHTS = (0.3, 1.0)


class PlainDualHead(nn.Module):
    """The official decoder, and one more 2x block with its own final layers."""

    def __init__(self) -> None:
        super().__init__()
        self.base = snac.SNAC(**SNAC_24KHZ.to_dict())
        channels = SNAC_24KHZ.decoder_dim // 2 ** len(SNAC_24KHZ.decoder_rates)
        half = channels // 2
        self.head = nn.Sequential(
            DecoderBlock(channels, half, 2, noise=True, groups=half),
            Snake1d(half),
            WNConv1d(half, 1, kernel_size=7, padding=3),
            nn.Tanh(),
        )

    def forward(self, codes: list[torch.Tensor]) -> Audio:
        """Decode codes ``[B, tokens]`` to audio ``[B, T]`` at 24 and ``[B, 2T]`` at 48 kHz."""
        layers = self.base.decoder.model
        features = layers[:-3](self.base.quantizer.from_codes(codes))
        return layers[-3:](features)[:, 0], self.head(features)[:, 0]


def spectral_loss(prediction: torch.Tensor, target: torch.Tensor, size: int) -> torch.Tensor:
    """Spectral convergence plus log-magnitude L1 at one window size."""
    window = torch.hann_window(size, device=target.device)
    estimated, reference = (
        torch.stft(audio, size, size // 4, window=window, return_complex=True).abs().clamp_min(1e-5)
        for audio in (prediction, target)
    )
    convergence = torch.linalg.norm(reference - estimated) / torch.linalg.norm(reference)
    return convergence + (estimated.log() - reference.log()).abs().mean()


def loss_of(outputs: Audio, targets: Audio) -> torch.Tensor:
    """Return the weighted losses of both heads."""
    total = torch.zeros((), device=outputs[0].device)
    for weight, sizes, output, target in zip(WEIGHTS, FFT_SIZES, outputs, targets, strict=True):
        spectral = sum(spectral_loss(output, target, size) for size in sizes) / len(sizes)
        total = total + weight * ((output - target).abs().mean() + spectral)
    return total


def main(asked: Asked) -> StepCost:
    """Take steps on random codes and noise, which cost what real ones do."""
    torch.manual_seed(0)
    model = PlainDualHead().to(asked.device)
    trained = model.head if asked.stage == "warmup" else model
    optimizer = torch.optim.AdamW(trained.parameters(), lr=1e-5)
    hop, strides = int(model.base.hop_length), SNAC_24KHZ.vq_strides
    tokens = asked.tokens * strides[0]
    samples = tokens * hop
    codes = [
        torch.randint(4096, (asked.batch, tokens // stride), device=asked.device)
        for stride in strides
    ]
    targets = [
        0.1 * torch.randn(asked.batch, n, device=asked.device) for n in (samples, 2 * samples)
    ]

    def step() -> None:
        optimizer.zero_grad()
        loss_of(model(codes), (targets[0], targets[1])).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return measure(step, asked)


if __name__ == "__main__":
    print(json.dumps(main(Asked.read(sys.argv[1])).__dict__))
