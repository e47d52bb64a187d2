"""A small codec in a folder, and a manifest of a dozen utterances."""

from pathlib import Path

import pytest
from models import NARROW, seeded
from workplace import succeed, write_tone

from snac_model import save


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A narrow codec with the geometry of the 24 kHz model."""
    folder = tmp_path_factory.mktemp("models") / "narrow"
    save(seeded(NARROW["24k"]), folder)
    return folder


@pytest.fixture(scope="session")
def manifest_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of 10 train and 2 val utterances, at several sample rates."""
    root = tmp_path_factory.mktemp("speech")
    for number in range(12):
        split = "train" if number < 10 else "val"
        rate = (48000, 44100, 24000)[number % 3]
        write_tone(root / "in" / split / f"{number:02}.flac", 0.3 + 0.067 * number, rate)
    short = ("--min-duration", 0.1)  # encoding them is what most of these tests spend their time on
    succeed("snac_cache.cli.manifest", root / "in", "-o", root / "manifests", *short)
    return root / "manifests"
