"""Model configurations of the tests, true and narrow, and models with weights that matter."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from snac_model.codec.quantizer import VectorQuantizer
from snac_model.codec.snac import SNAC
from snac_model.shapes.config import SNAC_24KHZ, CodecConfig

CONFIG_32K = CodecConfig(
    sampling_rate=32000, encoder_rates=(2, 3, 8, 8), decoder_rates=(8, 8, 3, 2)
)
CONFIG_44K = replace(CONFIG_32K, sampling_rate=44100)
CONFIG_DEFAULT = CodecConfig()

TRUE = {"24k": SNAC_24KHZ, "32k": CONFIG_32K, "44k": CONFIG_44K, "default": CONFIG_DEFAULT}
# As the true ones but for their width: attention needs whole heads of 64 channels.
NARROW = {
    name: replace(config, encoder_dim=4, decoder_dim=64, codebook_size=256)
    for name, config in TRUE.items()
}


def seeded(config: CodecConfig, seed: int = 0) -> SNAC:
    """Return a SNAC with random weights, biases and Snake frequencies, in evaluation mode."""
    torch.manual_seed(seed)
    model = SNAC(**config.to_dict())
    liven(model)
    spread_codes(model)
    return model.eval()


def liven(model: torch.nn.Module) -> None:
    """Move what initialisation leaves at one value, as training does, so that tests can see it."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith("alpha"):
                value.uniform_(0.5, 2.0)
            elif name.endswith("original0") or name.endswith("norm.weight"):
                value.mul_(torch.empty_like(value).uniform_(0.8, 1.3))


@torch.no_grad()
def spread_codes(model: SNAC) -> None:
    """Centre each level's projections, or random weights would use a handful of codes."""
    residual = model.encoder(model.preprocess(audio(16_000)))
    for quantizer in model.quantizer.levels:
        assert isinstance(quantizer, VectorQuantizer)
        assert quantizer.in_proj.bias is not None
        quantizer.in_proj.bias -= quantizer.project(residual).mean((0, 2))
        residual = residual - quantizer(residual)[0]


def audio(num_samples: int, batch: int = 1, seed: int = 0) -> torch.Tensor:
    """Return noise ``[B, 1, T]`` whose loudness and colour wander, so that codes differ."""
    generator = torch.Generator().manual_seed(seed)
    white = torch.randn(batch, 1, num_samples, generator=generator)
    slow = torch.cumsum(white, -1)
    slow = slow / slow.abs().amax(-1, keepdim=True).clamp_min(1e-6)
    return 0.1 * white * (1 + slow) + 0.3 * slow


def codes(model: SNAC, coarse_tokens: int, batch: int = 1, seed: int = 0) -> list[torch.Tensor]:
    """Return random codes ``[B, tokens]`` for every level."""
    generator = torch.Generator().manual_seed(seed)
    size = model.config.codebook_size
    return [
        torch.randint(size, (batch, coarse_tokens * per_coarse), generator=generator)
        for per_coarse in model.geometry.tokens_per_coarse
    ]


class TouchWhenUnpickled:
    """A malicious object: its unpickling creates a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.marker,))
