"""What the tests of evaluation share."""

from collections.abc import Iterator

import pytest
from browser import chromium
from evaluation import LENGTHS_S, Workplace, cache, manifest_row
from models import NARROW, seeded
from selenium import webdriver
from workplace import write_tone

from snac_model import save


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """Four utterances, one of them in a part of its own, and a seeded small codec."""
    root = tmp_path_factory.mktemp("artifacts")
    save(seeded(NARROW["24k"]), root / "models" / "base")
    paths = [root / "audio" / f"utterance {number}.wav" for number in range(len(LENGTHS_S))]
    for number, path in enumerate(paths):
        write_tone(path, LENGTHS_S[number])
    cache([manifest_row(path) for path in paths], root / "models" / "base", root / "codes")
    return Workplace(root, root / "models" / "base")


@pytest.fixture(scope="session")
def browser() -> Iterator[webdriver.Chrome]:
    """Chromium without a window, which keeps what it logs; tests skip where there is none."""
    with chromium() as chrome:
        yield chrome
