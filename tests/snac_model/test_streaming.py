"""Audio that comes piece by piece is the audio of the whole."""

import pickle
from collections.abc import Sequence
from dataclasses import replace
from unittest.mock import patch

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from models import NARROW, TRUE, codes, seeded
from streams import pieces, stream

from snac_common.errors import Failure
from snac_model.codec.dual_head import DualHeadSNAC
from snac_model.codec.snac import SNAC
from snac_model.codec.streaming import StreamingDecoder
from snac_model.layers.noise import NoiseSource, SeededNoise, no_noise

DUAL = DualHeadSNAC.from_base(seeded(NARROW["24k"]))
ODD_STRIDES = seeded(replace(NARROW["default"], attn_window_size=None))
PLAIN = seeded(replace(NARROW["24k"], noise=False, depthwise=False))
MODELS = {"dual": DUAL, "odd strides": ODD_STRIDES, "no noise, no depthwise": PLAIN}


@torch.inference_mode()
def assert_whole(
    model: SNAC, tokens: int, lengths: Sequence[int], noise: NoiseSource, batch: int = 1
) -> None:
    levels = codes(model, tokens, batch, seed=tokens)
    whole = model.decode_by_rate(levels, noise)
    streamed = stream(StreamingDecoder(model, noise=noise), pieces(model, levels, lengths))
    assert streamed.keys() == whole.keys()
    for rate, audio in whole.items():
        torch.testing.assert_close(streamed[rate], audio, rtol=0, atol=1e-5)


@settings(max_examples=12)
@given(
    st.sampled_from(sorted(MODELS)),
    st.integers(1, 24),
    st.lists(st.integers(0, 9), max_size=12),
    st.sampled_from([no_noise, SeededNoise(7)]),
    st.integers(1, 2),
)
def test_any_chunking_gives_the_whole(
    name: str, tokens: int, lengths: list[int], noise: NoiseSource, batch: int
) -> None:
    assert_whole(MODELS[name], tokens, lengths, noise, batch)


@settings(max_examples=8)
@given(st.sampled_from(sorted(MODELS)), st.integers(1, 6), st.integers(300, 30_000))
@example("dual", 3, 512)  # the second head is given too little to give anything
def test_stages_that_cut_what_they_are_given_give_the_whole(
    name: str, tokens: int, cached: int
) -> None:
    with patch("snac_model.layers.streamed.CACHED_NUMBERS", cached):
        assert_whole(MODELS[name], tokens, [4], SeededNoise(3))


def test_half_a_minute_gives_the_whole() -> None:
    assert_whole(DUAL, 352, [16] * 22, SeededNoise(1))


def test_the_true_size_gives_the_whole() -> None:
    model = DualHeadSNAC.from_base(seeded(TRUE["24k"]))
    assert_whole(model, 6, [1, 2, 1, 1], SeededNoise(1))


def test_audio_comes_as_soon_as_it_is_final() -> None:
    geometry = DUAL.geometry
    levels = codes(DUAL, 12)
    other = codes(DUAL, 12, seed=1)
    decoder = StreamingDecoder(DUAL, noise=no_noise)
    given = dict.fromkeys(decoder.rates, 0)
    for tokens, piece in enumerate(pieces(DUAL, levels, [1] * 11), start=1):
        for rate, audio in decoder.push(piece).items():
            given[rate] += audio.shape[-1]
            least = geometry.sample_span(rate, 0, max(0, tokens - geometry.context_tokens)).stop
            assert least <= given[rate] < geometry.sample_span(rate, 0, tokens).stop
        if tokens < 12:
            # had the codes gone on otherwise, the next sample would have been another
            changed = [
                torch.cat([mine[:, : stop.stop], theirs[:, stop.stop :]], -1)
                for mine, theirs, stop in zip(
                    levels,
                    other,
                    [geometry.token_span(level, 0, tokens) for level in range(geometry.levels)],
                    strict=True,
                )
            ]
            with torch.inference_mode():
                whole, differing = (DUAL.decode_by_rate(c, no_noise) for c in (levels, changed))
            for rate in decoder.rates:
                first = int((whole[rate] != differing[rate])[0, 0].nonzero()[0])
                assert given[rate] <= first
                assert first - given[rate] < geometry.coarse_samples(rate) // 4


def test_state_does_not_grow() -> None:
    decoder = StreamingDecoder(DUAL, noise=SeededNoise(1))
    sizes = []
    for tokens, piece in enumerate(pieces(DUAL, codes(DUAL, 60), [1] * 59)):
        decoder.push(piece)
        if tokens in (10, 30, 58):
            sizes.append(len(pickle.dumps((decoder.trunk, decoder.heads, decoder.given))))
    assert max(sizes) - min(sizes) < 200  # counters get longer


def test_after_finishing_another_stream_begins() -> None:
    decoder = StreamingDecoder(DUAL, noise=SeededNoise(1))
    cut = pieces(DUAL, codes(DUAL, 7), [2, 3])
    first, again = stream(decoder, cut), stream(decoder, cut)
    assert all(torch.equal(first[rate], again[rate]) for rate in decoder.rates)


def test_one_rate_alone_is_the_same_audio() -> None:
    cut = pieces(DUAL, codes(DUAL, 7), [2, 3])
    both = stream(StreamingDecoder(DUAL, noise=no_noise), cut)
    for rate in DUAL.geometry.output_rates:
        alone = stream(StreamingDecoder(DUAL, rates=[rate], noise=no_noise), cut)
        assert alone.keys() == {rate}
        assert torch.equal(alone[rate], both[rate])


@settings(max_examples=20)
@given(st.integers(0, 4), st.integers(1, 12), st.lists(st.integers(1, 5), max_size=5))
def test_less_look_ahead_is_earlier_and_as_long(
    look_ahead: int, tokens: int, lengths: list[int]
) -> None:
    levels = codes(DUAL, tokens)
    with torch.inference_mode():
        whole = DUAL.decode_by_rate(levels, SeededNoise(2))
    decoder = StreamingDecoder(DUAL, noise=SeededNoise(2), look_ahead=look_ahead)
    given: dict[int, list[torch.Tensor]] = {rate: [] for rate in decoder.rates}
    pushed = 0
    for piece in pieces(DUAL, levels, lengths):
        pushed += piece[0].shape[-1]
        for rate, audio in decoder.push(piece).items():
            given[rate].append(audio)
            due = DUAL.geometry.sample_span(rate, 0, max(0, pushed - look_ahead)).stop
            assert sum(part.shape[-1] for part in given[rate]) >= due
    for rate, audio in decoder.finish().items():
        joined = torch.cat([*given[rate], audio], -1)
        assert joined.shape == whole[rate].shape
        error = (joined - whole[rate]).abs().max()
        assert error < {0: 1, 1: 0.3, 2: 0.02}.get(look_ahead, 1e-5)


@settings(max_examples=20)
@given(
    st.sampled_from(sorted(MODELS)),
    st.integers(0, 4),
    st.lists(st.integers(1, 5), min_size=1, max_size=5),
)
def test_early_audio_is_as_if_the_codes_ended(
    name: str, look_ahead: int, lengths: list[int]
) -> None:
    model, noise = MODELS[name], SeededNoise(4)
    levels = codes(model, sum(lengths))
    decoder = StreamingDecoder(model, noise=noise, look_ahead=look_ahead)
    given_before = dict.fromkeys(decoder.rates, 0)
    for number, piece in enumerate(pieces(model, levels, lengths[:-1])):
        so_far = pieces(model, levels, [sum(lengths[: number + 1])])[0]
        with torch.inference_mode():
            whole = model.decode_by_rate(so_far, noise)
        for rate, audio in decoder.push(piece).items():
            start, given_before[rate] = given_before[rate], given_before[rate] + audio.shape[-1]
            expected = whole[rate][..., start : given_before[rate]]
            torch.testing.assert_close(audio, expected, rtol=0, atol=1e-5)


def test_local_attention_is_refused_with_the_reason() -> None:
    with pytest.raises(Failure, match="local attention"):
        StreamingDecoder(seeded(NARROW["32k"]))


def test_a_rate_that_the_model_lacks_is_refused() -> None:
    with pytest.raises(Failure, match="48000"):
        StreamingDecoder(seeded(NARROW["24k"]), rates=[48000])


@pytest.mark.parametrize("lengths", [(1, 2, 3), (1, 2), (1, 1, 4), ()])
def test_codes_that_are_no_whole_coarse_tokens_are_refused(lengths: tuple[int, ...]) -> None:
    decoder = StreamingDecoder(DUAL)
    with pytest.raises(Failure, match="whole coarse tokens"):
        decoder.push([torch.zeros(1, length, dtype=torch.int64) for length in lengths])


def test_nothing_pushed_gives_nothing() -> None:
    decoder = StreamingDecoder(DUAL)
    for audio in decoder.push([torch.zeros(1, 0, dtype=torch.int64)] * 3), decoder.finish():
        assert {rate: piece.shape for rate, piece in audio.items()} == {
            24000: (1, 1, 0),
            48000: (1, 1, 0),
        }


@torch.inference_mode()
def test_no_seam_at_the_joints_of_pieces() -> None:
    """A click is a step between two samples."""
    levels = codes(DUAL, 20)
    whole = DUAL.decode_by_rate(levels, SeededNoise(5))
    streamed = stream(StreamingDecoder(DUAL, noise=SeededNoise(5)), pieces(DUAL, levels, [1] * 19))
    for rate, audio in whole.items():
        torch.testing.assert_close(streamed[rate].diff(), audio.diff(), rtol=0, atol=1e-5)
