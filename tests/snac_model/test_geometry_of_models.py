"""The arithmetic against the networks it speaks of."""

import math
from dataclasses import replace
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import NARROW, audio, codes, seeded

from snac_model.audio.reading import resample
from snac_model.codec.dual_head import DualHeadSNAC
from snac_model.codec.snac import SNAC
from snac_model.layers.noise import no_noise
from snac_model.shapes.config import SNAC_24KHZ, CodecConfig
from snac_model.shapes.geometry import Geometry
from snac_model.shapes.receptive_field import decoder_reach

RATES = [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000, 128000]


@cache
def narrow(name: str) -> SNAC:
    return seeded(NARROW[name])


@cache
def narrow_dual() -> DualHeadSNAC:
    return DualHeadSNAC.from_base(narrow("24k"))


def frames_that_matter(model: SNAC, output: int) -> tuple[int, int]:
    """Latent frames to each side that a frame's samples depend on, by gradient."""
    model = model.double()
    frame, frames = 30, 61
    z = torch.randn(1, model.config.latent_channels, frames, dtype=torch.float64)
    z.requires_grad_()
    signal = list(model.decode_latents(z, no_noise).values())[output]
    per_frame = signal.shape[-1] // frames
    weights = torch.rand(per_frame, dtype=torch.float64) + 0.5
    (signal[0, 0, frame * per_frame : (frame + 1) * per_frame] * weights).sum().backward()
    assert z.grad is not None
    used = z.grad[0].abs().sum(0).nonzero().flatten()
    return frame - int(used.min()), int(used.max()) - frame


# How wide a convolution's groups are decides nothing here: one case of each has them full.
@pytest.mark.parametrize(
    ("rates", "depthwise"),
    [
        *[
            (rates, True)
            for rates in ((2,), (5,), (3, 4), (7, 7, 3, 3), (8, 8, 3, 2), (8, 8, 4, 2))
        ],
        ((3, 4), False),
    ],
)
def test_receptive_field_is_what_gradients_say(rates: tuple[int, ...], depthwise: bool) -> None:
    config = CodecConfig(
        encoder_dim=2,
        encoder_rates=rates[::-1],
        decoder_dim=2 ** len(rates),
        decoder_rates=rates,
        attn_window_size=None,
        codebook_size=16,
        depthwise=depthwise,
    )
    assert max(frames_that_matter(seeded(config), 0)) == max(decoder_reach(rates))


def samples_that_matter(model: SNAC, first: int, last: int) -> tuple[int, int]:
    """Samples before and after latent frames ``first`` to ``last`` that decide them."""
    hop = model.geometry.hop_length
    signal = torch.randn(1, 1, (first + last) * hop, dtype=torch.float64)
    signal.requires_grad_()
    z = model.double().encoder(signal)[..., first:last]
    (z * torch.rand(z.shape[1:], dtype=torch.float64)).sum().backward()
    assert signal.grad is not None
    used = signal.grad[0, 0].nonzero().flatten()
    return first * hop - int(used.min()), int(used.max()) + 1 - last * hop


@pytest.mark.parametrize(
    ("rates", "window", "depthwise"),
    [
        *[
            (rates, window, True)
            for rates in ((3,), (2, 3), (5, 4), (3, 3, 7, 7), (2, 4, 8, 8), (2, 3, 8, 8))
            for window in (None, 2, 32)
        ],
        ((5, 4), 2, False),
    ],
)
def test_encoder_context_is_what_gradients_say(
    rates: tuple[int, ...], window: int | None, depthwise: bool
) -> None:
    model = seeded(
        CodecConfig(
            encoder_dim=2 if window is None else 128 // 2 ** len(rates),
            encoder_rates=rates,
            decoder_dim=2 ** len(rates),
            decoder_rates=rates[::-1],
            attn_window_size=window,
            codebook_size=16,
            depthwise=depthwise,
        )
    )
    unit, hop = model.geometry.unit_frames, model.geometry.hop_length
    start = -(-(model.geometry.encoder_context + 1) // unit) * unit
    samples = max(samples_that_matter(model, start, start + unit))
    assert math.ceil(samples / hop) == model.geometry.encoder_context


def test_receptive_field_of_both_heads() -> None:
    config = replace(SNAC_24KHZ, encoder_dim=2, decoder_dim=32, codebook_size=16)
    model = DualHeadSNAC.from_base(seeded(config))
    reach = [max(frames_that_matter(model, output)) for output in (0, 1)]
    assert max(reach) == model.geometry.decoder_context == 10


@torch.no_grad()
@settings(max_examples=25)
@given(st.sampled_from(sorted(NARROW)), st.integers(1, 25_000))
def test_encode_returns_the_tokens_that_geometry_says(name: str, num_samples: int) -> None:
    model = narrow(name)
    signal = audio(num_samples)
    assert model.preprocess(signal).shape[-1] == model.geometry.padded_samples(num_samples)
    counts = tuple(level.shape[-1] for level in model.encode(signal))
    assert counts == model.geometry.encoded_tokens(num_samples)


@torch.no_grad()
@settings(max_examples=10)
@given(st.integers(1, 12))
def test_decode_returns_exactly_the_segments_samples(coarse_tokens: int) -> None:
    model = narrow_dual()
    decoded = model.decode_by_rate(codes(model, coarse_tokens))
    assert list(decoded) == [24000, 48000]
    for rate, signal in decoded.items():
        span = model.geometry.sample_span(rate, 0, coarse_tokens)
        assert signal.shape == (1, 1, span.stop)


@torch.no_grad()
@settings(max_examples=8)
@given(st.integers(0, 20), st.integers(1, 4))
def test_a_segment_with_its_context_is_the_whole_decoded(start: int, length: int) -> None:
    """The codes of a span, and the context beside it, give exactly the audio of that span."""
    model = narrow_dual()
    geometry = model.geometry
    levels = codes(model, 24)
    whole = model.decode_by_rate(levels, no_noise)
    first = max(0, start - geometry.context_tokens)
    tokens = start + length + geometry.context_tokens - first
    pieces = model.decode_by_rate(
        [part[:, geometry.token_span(level, first, tokens)] for level, part in enumerate(levels)],
        no_noise,
    )
    for rate, signal in whole.items():
        inside = geometry.sample_span(rate, start - first, length)
        torch.testing.assert_close(
            pieces[rate][..., inside],
            signal[..., geometry.sample_span(rate, start, length)],
            rtol=0,
            atol=1e-6,
        )


@torch.no_grad()
def test_a_segment_with_less_context_is_not_the_whole_decoded() -> None:
    model = narrow_dual()
    geometry = model.geometry
    levels = codes(model, 24)
    piece = [part[:, geometry.token_span(level, 10, 2)] for level, part in enumerate(levels)]
    bare = model.decode_by_rate(piece, no_noise)[24000]
    whole = model.decode_by_rate(levels, no_noise)[24000]
    assert (bare - whole[..., geometry.sample_span(24000, 10, 2)]).abs().max() > 1e-3


@torch.no_grad()
@settings(max_examples=60)
@given(st.sampled_from(RATES), st.integers(1, 60_000))
def test_a_resampled_file_has_the_length_that_geometry_says(rate: int, num_frames: int) -> None:
    geometry = Geometry.of(SNAC_24KHZ)
    resampled = resample(torch.zeros(num_frames), rate, geometry.sample_rate)
    assert len(resampled) == geometry.samples_from(rate, num_frames)
    assert len(resampled) == math.ceil(num_frames * 24000 / rate)


@torch.no_grad()
def test_lengths_agree_for_files_of_minutes_too() -> None:
    """Where float32, in which torchaudio computes the length, no longer holds every integer."""
    resampled = resample(torch.zeros(20_000_001), 44100, 24000)
    assert len(resampled) == Geometry.of(SNAC_24KHZ).samples_from(44100, 20_000_001)
