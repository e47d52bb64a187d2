"""The arithmetic of time, in numbers and in properties."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from models import CONFIG_32K, CONFIG_DEFAULT

from snac_model.shapes.config import SNAC_24KHZ, CodecConfig
from snac_model.shapes.geometry import Geometry

SNAC_24K = Geometry.of(SNAC_24KHZ)
DUAL_24K = Geometry.of(replace(SNAC_24KHZ, dual_head=True))
DEFAULT_AT_24K = Geometry.of(replace(CONFIG_DEFAULT, sampling_rate=24000))


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    """Any geometry with equal encoder and decoder rates, one head or two."""
    rates = draw(st.lists(st.integers(2, 8), min_size=1, max_size=4))
    factors = draw(st.lists(st.integers(1, 4), min_size=0, max_size=3))
    strides = [1]
    for factor in factors:
        strides.insert(0, strides[0] * factor)
    return Geometry.of(
        CodecConfig(
            sampling_rate=draw(st.sampled_from([16000, 24000, 32000, 44100])),
            encoder_rates=tuple(rates),
            decoder_rates=tuple(reversed(rates)),
            attn_window_size=draw(st.sampled_from([None, 2, 32])),
            vq_strides=tuple(strides),
            dual_head=draw(st.booleans()),
        )
    )


starts = st.integers(0, 10_000)
lengths = st.integers(1, 500)
durations = st.integers(1, 10_000_000)


def test_numbers_of_the_24_khz_model() -> None:
    assert SNAC_24K.hop_length == 512
    assert SNAC_24K.levels == 3
    assert SNAC_24K.frame_rate == 46.875
    assert SNAC_24K.tokens_per_coarse == (1, 2, 4)
    assert SNAC_24K.coarse_samples() == 2048
    assert DUAL_24K.output_rates == (24000, 48000)
    assert DUAL_24K.coarse_samples(48000) == 4096
    assert (SNAC_24K.decoder_context, SNAC_24K.context_tokens) == (10, 3)
    assert (DUAL_24K.decoder_context, DUAL_24K.context_tokens) == (10, 3)
    assert (SNAC_24K.encoder_context, SNAC_24K.unit_frames) == (10, 4)


def test_numbers_of_the_default_class_at_24_khz() -> None:
    geometry = DEFAULT_AT_24K
    assert geometry.hop_length == 441
    assert geometry.sample_span(24000, 5, 1).start == 17_640
    assert geometry.sample_span(48000, 5, 1).start == 35_280
    assert geometry.seconds(5) == 0.735
    for level, stride in enumerate(geometry.vq_strides):
        assert geometry.token_span(level, 5, 1).start * stride * 441 == 17_640


def test_the_earlier_systems_mixture_drifts_and_is_cut_short() -> None:
    """Hop 441 and strides 8, 4, 2 on the codes of the hop-512 model, whose strides are 4, 2, 1.

    The tokens per coarse token are alike, 1, 2, 4, so every slice had a shape that fitted.
    """
    wrong, right = DEFAULT_AT_24K, SNAC_24K
    assert wrong.tokens_per_coarse[:3] == right.tokens_per_coarse

    drift = [
        wrong.sample_span(24000, start, 1).start - right.sample_span(24000, start, 1).start
        for start in range(10)
    ]
    assert drift == [1480 * start for start in range(10)]
    assert round(1000 * 1480 / 24000, 1) == 61.7

    whole_coarse_tokens = int(1.0 // wrong.seconds(1))
    assert whole_coarse_tokens == 6
    assert right.seconds(whole_coarse_tokens) == 0.512
    assert right.seconds(right.coarse_tokens(1.0)) == pytest.approx(1.024)


@given(geometries(), starts, lengths, lengths)
def test_slices_in_a_row_tile_tokens_and_audio(
    geometry: Geometry, start: int, first: int, second: int
) -> None:
    for level in range(geometry.levels):
        left = geometry.token_span(level, start, first)
        right = geometry.token_span(level, start + first, second)
        assert (left.start, left.stop, right.stop) == (
            geometry.token_span(level, 0, start).stop,
            right.start,
            geometry.token_span(level, start, first + second).stop,
        )
    for rate in geometry.output_rates:
        left = geometry.sample_span(rate, start, first)
        right = geometry.sample_span(rate, start + first, second)
        assert left.stop == right.start
        assert right.stop == geometry.sample_span(rate, 0, start + first + second).stop


@given(geometries(), starts, lengths)
def test_a_segments_tokens_and_samples_cover_the_same_time(
    geometry: Geometry, start: int, length: int
) -> None:
    frames = [
        (span.start * stride, span.stop * stride)
        for level, stride in enumerate(geometry.vq_strides)
        for span in [geometry.token_span(level, start, length)]
    ]
    assert len(set(frames)) == 1
    audio = geometry.sample_span(geometry.sample_rate, start, length)
    assert (audio.start, audio.stop) == tuple(frame * geometry.hop_length for frame in frames[0])
    for rate in geometry.output_rates:
        span = geometry.sample_span(rate, start, length)
        factor = rate // geometry.sample_rate
        assert (span.start, span.stop) == (factor * audio.start, factor * audio.stop)
    assert geometry.seconds(length) == (audio.stop - audio.start) / geometry.sample_rate


@given(geometries(), durations)
def test_padding_is_the_least_that_whole_tokens_and_windows_need(
    geometry: Geometry, num_samples: int
) -> None:
    padded = geometry.padded_samples(num_samples)
    frames = padded // geometry.hop_length
    unit = geometry.padded_samples(1)
    assert padded >= num_samples > padded - unit
    assert padded % unit == padded % geometry.hop_length == 0
    assert frames % geometry.vq_strides[0] == frames % geometry.attention_window == 0
    counts = geometry.encoded_tokens(num_samples)
    assert {count * stride for count, stride in zip(counts, geometry.vq_strides, strict=True)} == {
        frames
    }


@given(geometries(), st.floats(0.01, 60))
def test_seconds_become_the_nearest_whole_number_of_coarse_tokens(
    geometry: Geometry, seconds: float
) -> None:
    tokens = geometry.coarse_tokens(seconds)
    assert tokens >= 1
    one = geometry.seconds(1)
    assert abs(geometry.seconds(tokens) - seconds) <= one / 2 + 1e-9 or tokens == 1
    assert geometry.coarse_tokens(geometry.seconds(tokens)) == tokens


@given(durations)
def test_lengths_survive_the_way_to_48_khz_and_back(num_samples: int) -> None:
    assert DUAL_24K.samples_at(48000, num_samples) == 2 * num_samples
    assert DUAL_24K.samples_from(48000, 2 * num_samples) == num_samples
    assert DUAL_24K.samples_from(48000, 2 * num_samples - 1) == num_samples


def test_impossible_geometries_are_refused() -> None:
    with pytest.raises(ValueError, match="vq_strides"):
        Geometry.of(replace(SNAC_24KHZ, vq_strides=(4, 3, 1)))
    with pytest.raises(ValueError, match="decoder_rates"):
        Geometry.of(replace(SNAC_24KHZ, decoder_rates=(7, 8, 4, 3), sampling_rate=24001))
    with pytest.raises(ValueError, match="whole number of samples"):
        SNAC_24K.coarse_samples(44100)
    with pytest.raises(ValueError, match="attention"):
        _ = Geometry.of(CONFIG_32K).context_tokens
