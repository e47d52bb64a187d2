"""Random weights through which a signal passes."""

import pytest
import torch
from models import NARROW, audio

from snac_model.codec.initialisation import OUTPUT_SCALE, init_variance_preserving
from snac_model.codec.snac import SNAC
from snac_model.layers.noise import no_noise
from snac_model.shapes.config import CodecConfig

LENGTH = 24_000


def random_codec(config: CodecConfig, seed: int = 0) -> SNAC:
    torch.manual_seed(seed)
    return SNAC(**config.to_dict()).eval()


@torch.no_grad()
def passed(model: SNAC, samples: torch.Tensor) -> torch.Tensor:
    """Pass audio ``[B, 1, T]`` through all but the choice of codes."""
    latents = model.quantizer.bypass_quantization(model.encoder(model.preprocess(samples)))
    (audio,) = model.decode_latents(latents, no_noise).values()
    return audio


def level(samples: torch.Tensor) -> float:
    return float(samples.square().mean().sqrt())


def passes_a_signal(model: SNAC) -> bool:
    """Say whether the level stays, but for the last layer's, and the output is the input's own."""
    inputs = [audio(LENGTH, seed=seed) for seed in (0, 1)]
    one, other = (passed(model, samples / level(samples)) for samples in inputs)
    kept = OUTPUT_SCALE / 5 < level(one) < OUTPUT_SCALE * 5
    return kept and level(one - other) > 0.4 * level(one)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.campaign) for seed in (1, 2))]
)
@pytest.mark.parametrize("name", NARROW)
def test_the_output_keeps_the_level_and_depends_on_the_input(name: str, seed: int) -> None:
    assert passes_a_signal(init_variance_preserving(random_codec(NARROW[name], seed)))


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.campaign) for seed in (1, 2))]
)
def test_with_torchs_own_start_it_would_not(seed: int) -> None:
    assert not passes_a_signal(random_codec(NARROW["24k"], seed))


def test_gradients_reach_the_encoders_first_layer() -> None:
    model = init_variance_preserving(random_codec(NARROW["24k"]))
    samples = audio(LENGTH // 4)
    latents = model.quantizer.bypass_quantization(model.encoder(model.preprocess(samples)))
    model.decode_latents(latents, no_noise)[24_000].square().mean().sqrt().backward()
    norms = {
        name: float(weight.grad.norm() / weight.norm())
        for name, weight in model.named_parameters()
        if weight.grad is not None and name.endswith("original1")
    }
    first, last = norms["encoder.block.0.parametrizations.weight.original1"], max(norms.values())
    assert first > 1e-3 * last


def test_there_are_no_biases() -> None:
    model = init_variance_preserving(random_codec(NARROW["24k"]))
    convolutions = [module for module in model.modules() if isinstance(module, torch.nn.Conv1d)]
    assert all(not module.bias.any() for module in convolutions if module.bias is not None)
