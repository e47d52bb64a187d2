"""What tests of several packages share."""

import os
from multiprocessing import forkserver
from pathlib import Path

import pytest
from killing import PRELOADED

# Small models gain nothing from threads, and lose a hundredfold where other work holds a core that
# OpenMP waits for. Set before torch is imported, and inherited by the commands under test.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# One process is forked from for all tests, whichever comes first; its imports go on beside them.
forkserver.set_forkserver_preload(["snac_cache.encoding.encode_parts", *PRELOADED])
forkserver.ensure_running()

ROOT = Path(__file__).resolve().parent.parent
SLOW = frozenset((ROOT / "tests/slow_modules.txt").read_text().split())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of modules that take more than a few seconds."""
    for item in items:
        if os.path.relpath(item.path, ROOT / "tests") in SLOW:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def speech() -> Path:
    """The folder of real speech beside the project; the test is skipped where there is none."""
    folder = Path(os.environ.get("SNAC_SPEECH") or ROOT.parent / "shared" / "speech")
    if not folder.is_dir():
        pytest.skip(f"no real speech at {folder}")
    return folder
