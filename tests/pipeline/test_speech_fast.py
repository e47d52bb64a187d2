"""The fast decoder that ships with the project: speech-small's tokens, and nearly its audio."""

from pathlib import Path

import pytest
import torch

from snac_model import SNAC, load
from snac_model.audio import read_mono, resample
from snac_model.losses import MultiScaleSTFTLoss
from snac_model.noise import no_noise
from snac_model.places import find_model

NAME, TEACHER = "builtin:speech-fast", "builtin:speech-small"


@pytest.fixture(scope="module")
def model() -> SNAC:
    return load(NAME)


@pytest.fixture(scope="module")
def teacher() -> SNAC:
    return load(TEACHER)


def test_it_is_small_and_its_card_says_what_it_is(model: SNAC) -> None:
    assert model.config.decoder_kind == "fourier"
    folder = find_model(NAME).weights.parent
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 5_000_000
    card = (folder / "README.md").read_text()
    for said in ("CC0", "seed", "steps", "kerstin/val", "klettres/val", "Not for"):
        assert said in card, said


def test_its_tokens_are_its_teachers(model: SNAC, teacher: SNAC) -> None:
    audio = 0.1 * torch.randn(1, 1, 30_001, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours, theirs = model.encode(audio), teacher.encode(audio)
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


@torch.inference_mode()
def test_it_is_about_as_near_to_speech_as_its_teacher(
    model: SNAC, teacher: SNAC, speech: Path
) -> None:
    """And much nearer to its teacher's audio than that is to the speech."""
    distance = MultiScaleSTFTLoss((256, 512, 1024, 2048))
    found = []
    for source in ("nathalie", "kerstin", "klettres"):
        for path in sorted((speech / source / "val").rglob("*.*"))[::12]:
            audio = resample(*read_mono(path), model.geometry.sample_rate)[None]
            codes = teacher.encode(audio[None])
            mine, its = (
                codec.decode(codes, no_noise)[0, :, : audio.shape[-1]] for codec in (model, teacher)
            )
            pairs = (mine, audio), (its, audio), (mine, its)
            valid = torch.tensor([audio.shape[-1]])
            found.append(torch.stack([distance(one, other, valid).mean() for one, other in pairs]))
    to_speech, of_teacher, to_teacher = torch.stack(found).mean(0).tolist()
    assert to_speech < 1.1 * of_teacher
    assert to_teacher < 0.6 * of_teacher
