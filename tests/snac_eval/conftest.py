"""What the tests of evaluation share."""

from collections.abc import Iterator

import pytest
from browser import chromium
from evaluation import LENGTHS_S, Workplace, cache, manifest_row
from markupsafe import Markup
from models import NARROW, seeded
from selenium import webdriver
from workplace import write_tone

from snac_eval.report import report
from snac_model import save

SEE_FIGURES = ("test_report_in_browser", "test_going_on")  # or compare them with a process's


@pytest.fixture(scope="module", autouse=True)
def no_figures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave the boxes undrawn where nobody looks at them: half of an evaluation's time here."""
    with pytest.MonkeyPatch.context() as patch:
        if request.node.path.stem not in SEE_FIGURES:
            patch.setattr(report, "spread_figure", lambda title, spreads: Markup(title))
        yield


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
