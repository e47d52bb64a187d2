"""A Fourier decoder's stream is the whole, however it is cut."""

from unittest.mock import patch

import pytest
import torch
from fourier import BOTH, fourier_model
from hypothesis import given, settings
from hypothesis import strategies as st
from models import codes
from streams import pieces, stream

from snac_model.codec.snac import SNAC
from snac_model.codec.streaming import StreamingDecoder

MODELS = {look_ahead: fourier_model(look_ahead=look_ahead) for look_ahead in range(4)}
FAR = fourier_model(kernel=13, look_ahead=12)  # which awaits four tokens
chunks = given(
    st.sampled_from(sorted(MODELS)),
    st.integers(1, 16),
    st.lists(st.integers(0, 6), max_size=8),
    st.integers(1, 2),
    st.sampled_from([None, 0, 2]),
)


@chunks
@settings(max_examples=60)
def test_any_chunking_gives_the_whole(
    model: int, tokens: int, lengths: list[int], batch: int, early: int | None
) -> None:
    """Twice with one decoder, which keeps nothing of the first stream.

    What is given early, ``early`` tokens after its own, is as long.
    """
    codec = MODELS[model]
    levels = codes(codec, tokens, batch, seed=tokens)
    whole = codec.decode_by_rate(levels)
    decoder = StreamingDecoder(codec, look_ahead=early)
    exact = early is None or early >= codec.geometry.look_ahead_tokens
    for _ in range(2):
        streamed = stream(decoder, pieces(codec, levels, lengths))
        for rate, audio in whole.items():
            assert streamed[rate].shape == audio.shape
            if exact:
                torch.testing.assert_close(streamed[rate], audio, rtol=0, atol=1e-5)


@given(
    st.sampled_from([*MODELS.values(), FAR]),
    st.integers(1, 12),
    st.lists(st.integers(1, 6), max_size=8),
    st.integers(0, 3),
)
@settings(max_examples=30)
def test_what_is_given_early_is_what_the_codes_so_far_give(
    codec: SNAC, tokens: int, lengths: list[int], early: int
) -> None:
    levels = codes(codec, tokens, seed=tokens)
    decoder = StreamingDecoder(codec, look_ahead=early)
    pushed, given = 0, dict.fromkeys(BOTH, 0)
    for piece in pieces(codec, levels, lengths):
        pushed += piece[0].shape[-1]
        audio = decoder.push(piece)
        spans = [codec.geometry.token_span(number, 0, pushed) for number in range(len(levels))]
        whole = codec.decode_by_rate([x[:, s] for x, s in zip(levels, spans, strict=True)])
        for rate in BOTH:
            end = given[rate] + audio[rate].shape[-1]
            assert end >= codec.geometry.sample_span(rate, 0, max(0, pushed - early)).stop
            expected = whole[rate][..., given[rate] : end]
            torch.testing.assert_close(audio[rate], expected, rtol=0, atol=1e-5)
            given[rate] = end


@pytest.mark.parametrize("cached", [200, 999, 5_000])
def test_stages_that_cut_what_they_are_given_give_the_whole(cached: int) -> None:
    codec = MODELS[3]
    levels = codes(codec, 9)
    with patch("snac_model.layers.streamed.CACHED_NUMBERS", cached):
        streamed = stream(StreamingDecoder(codec), pieces(codec, levels, [3, 4]))
    for rate, audio in codec.decode_by_rate(levels).items():
        torch.testing.assert_close(streamed[rate], audio, rtol=0, atol=1e-5)


@pytest.mark.parametrize("look_ahead", sorted(MODELS))
def test_audio_comes_as_soon_as_it_is_final(look_ahead: int) -> None:
    """A sample awaits the window's reach, 1.5 hops, and the first convolution's look-ahead."""
    codec = MODELS[look_ahead]
    levels = codes(codec, 6)
    decoder = StreamingDecoder(codec, rates=[24_000])
    assert codec.geometry.look_ahead_tokens == 1
    given = 0
    for token, piece in enumerate(pieces(codec, levels, [1] * 6)[:6], start=1):
        given += decoder.push(piece)[24_000].shape[-1]
        assert given == max(0, 2_048 * token - 512 * look_ahead - 256 * 3 // 2)


def held(decoder: StreamingDecoder) -> int:
    """Return the bytes that a stream's layers keep, weights included."""
    layers = [layer for stage in decoder.trunk for layer in stage.layers]
    layers += [layer for head in decoder.heads.values() for layer in head.layers]
    states = [value for layer in layers for value in vars(layer).values()]
    tensors = [value for value in states if isinstance(value, torch.Tensor)]
    return sum(tensor.untyped_storage().nbytes() for tensor in tensors)


def test_what_is_kept_grows_neither_with_the_stream_nor_with_its_pieces() -> None:
    codec = MODELS[3]
    levels = codes(codec, 40)
    sizes = set()
    for length in (1, 5, 40):
        decoder = StreamingDecoder(codec)
        for piece in pieces(codec, levels, [length] * (40 // length))[:-1]:
            decoder.push(piece)
        sizes.add(held(decoder))
    assert len(sizes) == 1
