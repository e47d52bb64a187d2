"""Decoding segments alone gives what decoding their whole windows gives, and learns the same."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import NARROW, seeded

from snac_model import DualHeadSNAC, SeededNoise
from snac_model.codec.dual_head import double_rate
from snac_model.codec.snac import SNAC
from snac_model.layers.segments import Features, Segments, gather, scatter, take
from snac_model.shapes.receptive_field import Margin

MAKERS: dict[str, Callable[[SNAC], SNAC]] = {
    "24k": lambda base: base,
    "48k": double_rate,
    "both": DualHeadSNAC.from_base,
}
RATES = ((8, 8, 4, 2), (3, 5), (7, 2, 3), (8, 8))


@cache
def narrow(kind: str, rates: tuple[int, ...]) -> SNAC:
    config = replace(NARROW["24k"], encoder_rates=rates[::-1], decoder_rates=rates)
    return MAKERS[kind](seeded(replace(config, vq_strides=(2, 1))))


@st.composite
def batches(draw: st.DrawFn) -> tuple[SNAC, torch.Tensor, Segments, SeededNoise]:
    """Draw a model, latents, and where the segments are: in the midst, at the edges, or all."""
    model = narrow(draw(st.sampled_from(sorted(MAKERS))), draw(st.sampled_from(RATES)))
    window = draw(st.integers(1, 60))
    frames = draw(st.integers(1, window))
    starts = draw(st.lists(st.integers(0, window - frames), min_size=1, max_size=4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    latents = torch.randn(
        len(starts), model.config.latent_channels, window, generator=generator
    ).requires_grad_()
    noise = SeededNoise(list(range(len(starts))))
    return model, latents, Segments(torch.tensor(starts), frames, window), noise


def decode(
    model: SNAC, latents: torch.Tensor, noise: SeededNoise, segments: Segments, *, whole: bool
) -> dict[int, torch.Tensor]:
    """Decode the segments' audio: from whole windows, or with no more than they need."""
    if not whole:
        return model.decode_latents(latents, noise, segments)
    outputs = {}
    for rate, audio in model.decode_latents(latents, noise).items():
        samples = model.geometry.samples_per_frame(rate)
        starts = (segments.starts * samples).tolist()
        length = segments.frames * samples
        outputs[rate] = torch.stack(
            [one[:, start : start + length] for one, start in zip(audio, starts, strict=True)]
        )
    return outputs


@settings(max_examples=12)
@given(batches())
def test_a_segment_is_what_it_is_within_its_window(
    drawn: tuple[SNAC, torch.Tensor, Segments, SeededNoise],
) -> None:
    model, latents, segments, noise = drawn
    with torch.no_grad():
        whole = decode(model, latents, noise, segments, whole=True)
        alone = decode(model, latents, noise, segments, whole=False)
    assert list(alone) == list(model.geometry.output_rates)
    for rate, audio in alone.items():
        torch.testing.assert_close(audio, whole[rate], rtol=0, atol=2e-6)


@settings(max_examples=10)
@given(batches())
def test_gradients_are_those_of_whole_windows(
    drawn: tuple[SNAC, torch.Tensor, Segments, SeededNoise],
) -> None:
    model, latents, segments, noise = drawn
    model, latents = model.double(), latents.detach().double().requires_grad_()
    weights = [*model.decoder.parameters(), latents]
    gradients = []
    for whole in (True, False):
        outputs = decode(model, latents, noise, segments, whole=whole).values()
        loss = sum(audio.pow(2).sum() + audio.sum() for audio in outputs)
        gradients.append(torch.autograd.grad(loss, weights))  # type: ignore[arg-type]
    model.float()
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_what_no_segment_needs_is_not_computed() -> None:
    model = narrow("both", (8, 8, 4, 2))
    latents = torch.zeros(2, model.config.latent_channels, 40)
    segments = Segments(torch.tensor([0, 14]), 6, 40)
    lengths = []
    for block in model.decoder.blocks:
        block.register_forward_hook(lambda _, __, made: lengths.append(made.shape[-1]))
    with torch.no_grad():
        model.decode_latents(latents, SeededNoise([1, 2]), segments)
    narrow.cache_clear()
    kept = [length / rate for length, rate in zip(lengths, (8, 64, 256, 512), strict=True)]
    assert kept == sorted(kept, reverse=True)
    assert kept[0] == 20
    assert kept[1] == 8
    assert kept[-1] < 6.3


def test_the_cut_stops_at_a_windows_ends() -> None:
    positions = torch.arange(40.0).expand(3, 1, 40)
    segments = Segments(torch.tensor([0, 6, 14]), 6, 20)
    kept = segments.cut(Features(positions), 2, Margin(5, 4))
    assert isinstance(kept.start, torch.Tensor)
    assert kept.start.tolist() == [0, 7, 19]
    assert kept.values[:, 0, 0].tolist() == [0, 7, 19]
    assert kept.values.shape == (3, 1, 5 + 12 + 4)


def test_what_is_taken_gets_its_gradient() -> None:
    x = torch.randn(3, 2, 9, dtype=torch.float64, requires_grad=True)
    starts = torch.tensor([0, 2, 5])
    assert torch.autograd.gradcheck(lambda x: take(x, starts, 4), x)


def test_a_gpu_takes_the_same_without_knowing_where() -> None:
    x, starts = torch.randn(3, 2, 9), torch.tensor([0, 2, 5])
    taken = take(x, starts, 4)
    assert gather(x, starts, 4).equal(taken)
    back = torch.zeros_like(x)
    for item, start in enumerate([0, 2, 5]):
        back[item, :, start : start + 4] = taken[item]
    assert scatter(torch.zeros_like(x), starts, taken).equal(back)


@pytest.mark.gpu
def test_segments_are_the_same_on_a_gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    x = torch.randn(3, 2, 9, requires_grad=True)
    on_gpu = x.detach().cuda().requires_grad_()
    starts = torch.tensor([0, 2, 5])
    for values, where in ((x, starts), (on_gpu, starts.cuda())):
        take(values, where, 4).square().sum().backward()
    assert x.grad is not None
    assert on_gpu.grad is not None
    assert on_gpu.grad.cpu().equal(x.grad)
