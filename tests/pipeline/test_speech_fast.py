"""The fast decoder that ships with the project: of the tokens of speech-small, and as good."""

from pathlib import Path

import pytest
import torch

from snac_model import SNAC, load
from snac_model.audio.reading import read_mono, resample
from snac_model.files.places import find_model
from snac_model.layers.noise import no_noise
from snac_model.losses.reconstruction import MultiScaleSTFTLoss

NAME, OTHER = "builtin:speech-fast", "builtin:speech-small"


@pytest.fixture(scope="module")
def model() -> SNAC:
    return load(NAME)


@pytest.fixture(scope="module")
def other() -> SNAC:
    return load(OTHER)


def test_it_is_small_and_its_card_says_what_it_is(model: SNAC) -> None:
    assert model.config.decoder_kind == "fourier"
    folder = find_model(NAME).weights.parent
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 5_000_000
    card = (folder / "README.md").read_text()
    for said in ("CC0", "seed", "steps", "kerstin/val", "klettres/val", "Not for"):
        assert said in card, said


def test_its_tokens_are_those_of_speech_small(model: SNAC, other: SNAC) -> None:
    audio = 0.1 * torch.randn(1, 1, 30_001, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours, theirs = model.encode(audio), other.encode(audio)
    assert all(torch.equal(one, two) for one, two in zip(ours, theirs, strict=True))


@torch.inference_mode()
def test_it_is_about_as_near_to_speech_as_speech_small(
    model: SNAC, other: SNAC, speech: Path
) -> None:
    """And nearer to the other's audio than that is to the speech: both say the same."""
    distance = MultiScaleSTFTLoss((256, 512, 1024, 2048))
    found = []
    for source in ("nathalie", "kerstin", "klettres"):
        for path in sorted((speech / source / "val").rglob("*.*"))[::12]:
            audio = resample(*read_mono(path), model.geometry.sample_rate)[None]
            codes = other.encode(audio[None])
            mine, its = (
                codec.decode(codes, no_noise)[0, :, : audio.shape[-1]] for codec in (model, other)
            )
            pairs = (mine, audio), (its, audio), (mine, its)
            valid = torch.tensor([audio.shape[-1]])
            found.append(torch.stack([distance(one, other, valid).mean() for one, other in pairs]))
    to_speech, of_other, to_other = torch.stack(found).mean(0).tolist()
    assert to_speech < 1.1 * of_other
    assert to_other < of_other
