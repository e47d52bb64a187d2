"""Encoding in lengths that the caches hold gives the bits of encoding as a whole."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import NARROW, TRUE, audio, seeded

from snac_model.codec import encoder_lengths
from snac_model.codec.encoder_lengths import (
    CONTEXT,
    SHORTEST,
    has_lengths,
    keeps_bits,
    length_of,
    spans,
)
from snac_model.codec.snac import SNAC
from snac_model.layers.convolutions import EncoderBlock

CHANNELS = 16  # of fewer, oneDNN has no kernels that keep the bits, and lengths are not used


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Compute as a worker does."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        yield
    torch.set_num_threads(before)


@pytest.fixture
def short_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have many lengths in little audio."""
    monkeypatch.setattr(encoder_lengths, "CACHED_NUMBERS", 0)
    if not keeps_bits(CHANNELS):
        pytest.skip("this machine's libraries do not keep the bits: audio is encoded as a whole")


@cache
def model_of(name: str) -> SNAC:
    """Return a model with a few more channels than the other tests' narrow ones."""
    return seeded(replace(NARROW[name], encoder_dim=CHANNELS)).fold_weight_norm()


@pytest.mark.usefixtures("short_lengths")
@pytest.mark.parametrize("name", sorted(NARROW))
@settings(max_examples=5)
@given(samples=st.integers(1, 9000), batch=st.integers(1, 3), seed=st.integers(0, 99))
def test_latents_have_the_bits_of_the_whole(name: str, samples: int, batch: int, seed: int) -> None:
    model = model_of(name)
    signal = model.preprocess(audio(samples, batch, seed))
    assert torch.equal(model.encoder(signal), model.encoder.block(signal))


@pytest.mark.parametrize(
    "name",
    [
        "24k",
        pytest.param("32k", marks=pytest.mark.campaign),  # the 44 kHz model is the same
        pytest.param("default", marks=pytest.mark.campaign),
    ],
)
def test_true_sizes_have_the_codes_of_the_whole(name: str) -> None:
    model = seeded(TRUE[name])
    signal = model.preprocess(audio(30_011))
    latents = model.encoder.block(signal)
    assert torch.equal(model.encoder(signal), latents)
    expected = model.quantizer(latents)[1]
    assert all(map(torch.equal, model.encode(signal), expected))


@pytest.mark.usefixtures("short_lengths")
@pytest.mark.parametrize("context", [CONTEXT - 1, CONTEXT + 1, 0])
def test_one_sample_less_of_context_would_show(
    context: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of("24k")
    signal = model.preprocess(audio(5000))
    monkeypatch.setattr(encoder_lengths, "CONTEXT", context)
    same = torch.equal(model.encoder(signal), model.encoder.block(signal))
    assert same == (context >= CONTEXT)


@given(samples=st.integers(1, 10_000), length=st.integers(SHORTEST, 3000))
def test_lengths_cover_all_samples_once(samples: int, length: int) -> None:
    cuts = list(spans(samples, length))
    assert [n for start, stop in cuts for n in range(start, stop)] == list(range(samples))
    assert all(min(length, samples) <= stop - start < 2 * length for start, stop in cuts)


def test_lengths_with_context_are_whole_rows_of_every_dilation() -> None:
    assert all((length_of(channels) + 2 * CONTEXT) % 9 == 0 for channels in (48, 96, 192, 384))


def test_where_bits_are_not_kept_audio_is_encoded_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    block = EncoderBlock(CHANNELS, 2, depthwise=True)
    x = torch.randn(1, CHANNELS, 1000)
    expected = block(x)
    monkeypatch.setattr(encoder_lengths.UnitOfRows, "_dilated", lambda self, rows: rows)
    monkeypatch.setattr(encoder_lengths, "keeps_bits", cache(keeps_bits.__wrapped__))
    assert not encoder_lengths.keeps_bits(CHANNELS)
    assert torch.equal(encoder_lengths.encode_block(block, x), expected)


def test_trying_a_machine_leaves_the_random_numbers_alone() -> None:
    state = torch.get_rng_state()
    keeps_bits.__wrapped__(CHANNELS)
    assert torch.equal(torch.get_rng_state(), state)


def test_lengths_are_for_inference_by_one_thread_of_a_cpu() -> None:
    signal = torch.zeros(1, 1, 100)
    assert has_lengths(signal)
    assert not has_lengths(signal.double())
    assert not has_lengths(signal.expand(16, 1, 100))
    assert not has_lengths(torch.zeros(1, 1, 100, device="meta"))
    with torch.autocast("cpu"):
        assert not has_lengths(signal)
    torch.set_num_threads(2)
    assert not has_lengths(signal)


def test_training_does_not_use_them() -> None:
    with torch.inference_mode(False), torch.enable_grad():
        signal = torch.zeros(1, 1, 100)
        assert not has_lengths(signal)
