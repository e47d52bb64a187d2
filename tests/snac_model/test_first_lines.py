"""The first lines of Python that somebody writes: names as texts, and audio as numbers."""

from pathlib import Path

import pytest
import torch
from models import NARROW, seeded

import snac_model
from snac_model import CodecConfig, DualHeadSNAC, StreamingDecoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model with both heads, saved to and loaded from a folder that is named by a text."""
    where = str(tmp_path_factory.mktemp("model") / "of both")
    snac_model.save(DualHeadSNAC.from_base(seeded(NARROW["24k"])), where)
    return where


def test_audio_of_a_loaded_model_is_plain_numbers(folder: str) -> None:
    """Without a word of gradients, ``numpy()`` works."""
    model = snac_model.load(folder)
    codes = model.encode(torch.zeros(1, 1, 4096))
    stream = StreamingDecoder(model)
    audio = [*model.decode(codes), *model(torch.zeros(1, 1, 4096))[0], stream.push(codes)[48000]]
    assert all(sound.numpy().ndim == 3 for sound in audio)


def test_a_loaded_model_can_be_trained_once_it_is_asked_for(folder: str) -> None:
    model = snac_model.load(folder).requires_grad_(True)
    model.decode(model.encode(torch.zeros(1, 1, 4096)))[0].sum().backward()
    started = DualHeadSNAC.from_base(snac_model.load("builtin:speech-small"))
    assert all(weight.requires_grad for weight in started.parameters())
    assert next(model.decoder.parameters()).grad is not None


def test_a_configuration_is_read_by_a_text_too(folder: str) -> None:
    assert CodecConfig.read(f"{folder}/config.json") == CodecConfig.read(
        Path(folder) / "config.json"
    )
