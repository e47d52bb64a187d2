"""A small codec, and caches of it made by the commands themselves."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copy

import pytest
from training import LENGTHS, SMALL_CODEC, make_cache, write_position, write_voice

from snac_model import save
from snac_model.codec.snac import SNAC
from snac_train.session import measures

PROVE_ALIGNMENT = ("test_alignment_proof", "test_command", "test_few_steps")


@pytest.fixture(scope="module", autouse=True)
def no_proof_of_alignment(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave out what the small codec says nothing to: a tenth of a small run's time."""
    with pytest.MonkeyPatch.context() as patch:
        if request.node.path.stem not in PROVE_ALIGNMENT:
            patch.setattr(measures, "check_alignment", lambda *_: "not compared in these tests")
        yield


@pytest.fixture(scope="session")
def small_codec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small codec."""
    folder = tmp_path_factory.mktemp("models") / "small"
    save(SMALL_CODEC(), folder)
    return folder


@pytest.fixture(scope="session")
def architecture(small_codec: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small codec's configuration alone, without weights."""
    folder = tmp_path_factory.mktemp("architecture")
    copy(small_codec / "config.json", folder)
    return folder


@pytest.fixture(scope="session")
def base(small_codec: Path) -> SNAC:
    """The small codec itself; not to be changed."""
    return SNAC.from_pretrained(small_codec)


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory, small_codec: Path) -> Path:
    """Codes of 7 train and 5 val utterances of synthetic voice, one train utterance at 44.1 kHz."""
    root = tmp_path_factory.mktemp("voices")
    for number in range(7):
        rate = 44_100 if number == 3 else 48_000
        write_voice(root / f"in/train/{number}.wav", 0.31 + 0.17 * number, number, rate)
    for number in range(5):
        write_voice(root / f"in/val/{number}.wav", 0.2 + 0.19 * number, 100 + number)
    return make_cache(root / "in", root / "artifacts", small_codec)


@pytest.fixture(scope="session")
def positions(tmp_path_factory: pytest.TempPathFactory, small_codec: Path) -> Path:
    """Codes of files whose every sample says where in the file it is."""
    root = tmp_path_factory.mktemp("positions")
    for split, lengths in LENGTHS.items():
        for frames in lengths:
            write_position(root / f"in/{split}/{frames}.wav", frames)
    return make_cache(root / "in", root / "artifacts", small_codec)
