"""The layers whose gradients or shapes are written by hand."""

import pytest
import torch
import torch._dynamo
from hypothesis import given, settings
from hypothesis import strategies as st

from snac_model.layers.convolutions import (
    DecoderBlock,
    DilatedDepthwise,
    EncoderBlock,
    NoiseBlock,
    ResidualUnit,
    Snake,
    snake,
)
from snac_model.layers.noise import no_noise

CHANNELS = 6


def plain_snake(x: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """The formula as the official package spells it."""
    return x + (alpha + 1e-9).reciprocal() * torch.sin(alpha * x).pow(2)


def inputs(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 50, generator=generator, dtype=torch.float64)
    alpha = torch.rand(1, 3, 1, generator=generator, dtype=torch.float64) * 3 - 0.5
    return x.to(dtype).requires_grad_(), alpha.to(dtype).requires_grad_()


def test_snake_has_the_bits_of_the_plain_formula() -> None:
    x, alpha = inputs(torch.float32)
    before = x.detach().clone()
    assert torch.equal(snake(x, alpha), plain_snake(x, alpha))
    with torch.no_grad():
        assert torch.equal(snake(x, alpha), plain_snake(x, alpha))
    assert torch.equal(x, before)


def test_snakes_gradients_are_those_of_the_plain_formula() -> None:
    x, alpha = inputs(torch.float64)
    assert torch.autograd.gradcheck(snake, (x, alpha))
    weights = torch.randn(x.shape, dtype=torch.float64)
    ours = torch.autograd.grad((snake(x, alpha) * weights).sum(), (x, alpha))
    expected = torch.autograd.grad((plain_snake(x, alpha) * weights).sum(), (x, alpha))
    for value, reference in zip(ours, expected, strict=True):
        torch.testing.assert_close(value, reference)


@pytest.mark.parametrize("frozen", [0, 1])
def test_snake_computes_only_the_gradients_that_are_needed(frozen: int) -> None:
    arguments = inputs(torch.float32)
    arguments[frozen].requires_grad_(False)
    snake(*arguments).sum().backward()
    assert arguments[frozen].grad is None
    assert arguments[1 - frozen].grad is not None


def test_snake_mixes_precisions_as_the_plain_formula_does() -> None:
    x, alpha = inputs(torch.float32)
    half = x.detach().bfloat16().requires_grad_()
    out = snake(half, alpha)
    assert torch.equal(out, plain_snake(half, alpha))
    out.sum().backward()
    assert half.grad is not None
    assert half.grad.dtype == torch.bfloat16


def plain_convolution(layer: DilatedDepthwise, x: torch.Tensor) -> torch.Tensor:
    """Convolve as torch itself does."""
    return torch.nn.Conv1d.forward(layer, x)


@torch.no_grad()
@settings(max_examples=50)
@given(
    st.integers(1, 3), st.integers(2, 50), st.integers(1, 3000), st.sampled_from([3, 9]), st.data()
)
def test_dilated_convolutions_have_torchs_own_bits(
    batch: int, channels: int, length: int, dilation: int, data: st.DataObject
) -> None:
    torch.manual_seed(data.draw(st.integers(0, 99)))
    layer = DilatedDepthwise(channels, dilation)
    x = torch.randn(batch, channels, length)
    assert torch.equal(layer(x), plain_convolution(layer, x))


@pytest.mark.parametrize("length", [5, 90, 91])
def test_dilated_convolutions_have_torchs_own_gradients(length: int) -> None:
    layer = DilatedDepthwise(4, 9).double()
    x = torch.randn(2, 4, length, dtype=torch.float64, requires_grad=True)
    weights = torch.randn_like(x)
    needed = (x, *layer.parameters())
    ours = torch.autograd.grad((layer(x) * weights).sum(), needed)
    expected = torch.autograd.grad((plain_convolution(layer, x) * weights).sum(), needed)
    for value, reference in zip(ours, expected, strict=True):
        torch.testing.assert_close(value, reference)


@torch.no_grad()
@settings(max_examples=30)
@given(st.integers(2, 9), st.integers(1, 20), st.booleans())
def test_blocks_change_lengths_by_exactly_their_stride(
    stride: int, frames: int, depthwise: bool
) -> None:
    down = EncoderBlock(2, stride, depthwise)(torch.randn(1, 2, frames * stride))
    assert down.shape == (1, 4, frames)
    up = DecoderBlock(4, 2, stride, True, depthwise)(down, no_noise, 0)
    assert up.shape == (1, 2, frames * stride)


@torch._dynamo.config.patch(recompile_limit=64, accumulated_recompile_limit=64)  # of all tests
@pytest.mark.parametrize("block", ["snake", "unit", "dilated unit", "noise"])
def test_compiled_blocks_have_the_gradients_of_plain_ones(block: str) -> None:
    """With what torch traces run as it is: the traps are in the tracing."""
    torch.manual_seed(0)
    layer: torch.nn.Module = {
        "snake": Snake(CHANNELS),
        "unit": ResidualUnit(CHANNELS, 1, 1),
        "dilated unit": ResidualUnit(CHANNELS, 3, CHANNELS),
        "noise": NoiseBlock(CHANNELS),
    }[block]
    audio, noise = torch.randn(2, CHANNELS, 40), torch.randn(2, 1, 40)
    found = []
    for compiled in (False, True):
        if compiled:
            layer.compile(backend="aot_eager")
        x = audio.clone().requires_grad_()
        inputs = (x * 1.5, noise) if block == "noise" else (x * 1.5,)
        outputs = layer(*inputs)
        found.append(
            [outputs, *torch.autograd.grad(outputs.pow(2).sum(), [x, *layer.parameters()])]
        )
    for plain, traced in zip(*found, strict=True):
        assert plain.any()
        torch.testing.assert_close(traced, plain)
