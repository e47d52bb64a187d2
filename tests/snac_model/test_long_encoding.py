"""Recordings of any length: the codes of the whole, in memory that does not grow."""

from functools import cache
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import NARROW, audio, seeded

from snac_model import load
from snac_model.audio.header import AudioError
from snac_model.audio.reading import read_mono, resample, resampled_blocks
from snac_model.codec.long_encoding import cut
from snac_model.codec.snac import SNAC
from snac_model.shapes.pieces import PiecePlan

MODELS = sorted(NARROW)  # with and without local attention


@cache
def exact(name: str) -> SNAC:
    """A model whose rounding decides no code."""
    return seeded(NARROW[name]).double()


def equal(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(torch.equal(left, right) for left, right in zip(one, other, strict=True))


@torch.no_grad()
@settings(max_examples=10)
@given(st.sampled_from(MODELS), st.integers(1, 100_000), st.integers(1, 200_000), st.booleans())
def test_codes_are_the_whole_recordings(name: str, length: int, block: int, alone: bool) -> None:
    model, signal = exact(name), audio(length).double()
    blocks = signal if alone else signal.split(max(block, length // 50), dim=-1)
    codes = model.encode_long(blocks, piece_seconds=0.2)
    assert equal(codes, model.encode(signal))
    assert all(level.dtype == torch.int64 for level in codes)


@torch.no_grad()
@pytest.mark.parametrize("name", MODELS)
def test_less_context_gives_other_codes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, signal = exact(name), audio(100_000).double()
    unit = model.geometry.unit_frames
    monkeypatch.setattr(PiecePlan, "context", property(lambda plan: 0))
    plan = PiecePlan(model.geometry, unit)
    levels = [model._encode_piece(part, piece.kept) for part, piece in cut(plan, signal)]
    codes = [torch.cat(level, -1) for level in zip(*levels, strict=True)]
    assert not equal(codes, model.encode(signal))


@torch.no_grad()
def test_any_shape_of_audio_is_taken() -> None:
    model, signal = exact("24k"), audio(40_000).double()
    batch = torch.cat([signal, signal.flip(-1)])
    expected = model.encode(batch)
    assert equal(model.encode_long(batch, 0.2), expected)
    assert equal(model.encode_long(batch[:, 0], 0.2), expected)
    assert equal(model.encode_long([batch[:, 0, :7], batch[:, 0, 7:]], 0.2), expected)
    assert equal(model.encode_long(signal[0, 0], 0.2), model.encode(signal))


@pytest.mark.parametrize("blocks", [[], [torch.zeros(0)], torch.zeros(1, 1, 0)])
def test_no_audio_is_refused(blocks: list[torch.Tensor]) -> None:
    with pytest.raises(AudioError, match="no audio") as caught:
        exact("24k").encode_long(blocks)
    assert caught.value.reason == "empty"


def test_no_more_audio_is_held_than_a_piece_needs() -> None:
    plan = PiecePlan.of(exact("24k").geometry, 0.5)
    for blocks in (torch.zeros(2_000_000), torch.zeros(2_000_000).split(1000)):
        sizes = [part.untyped_storage().nbytes() for part, _ in cut(plan, blocks)]
        assert max(sizes) <= 4 * 2 * plan.window_samples


@pytest.mark.speech
@torch.no_grad()
def test_real_speech_has_the_codes_of_the_whole(speech: Path, tmp_path: Path) -> None:
    import soundfile

    paths = sorted((speech / "nathalie").glob("**/*.flac"))[:20]
    parts = [resample(*read_mono(path), 22_050) for path in paths]
    joined = torch.cat(parts)[: 25 * 22_050 + 1]
    assert len(joined) > 24 * 22_050
    soundfile.write(tmp_path / "long.wav", joined.numpy(), 22_050)
    model = load("builtin:speech-small").fold_weight_norm()
    whole = model.encode(resample(*read_mono(tmp_path / "long.wav"), 24_000)[None, None])
    codes = model.encode_long(resampled_blocks(tmp_path / "long.wav", 24_000, 24_000))
    for level, expected in zip(codes, whole, strict=True):
        assert level.shape == expected.shape
        assert (level == expected).float().mean() > 0.9995  # rounding decides a near tie
