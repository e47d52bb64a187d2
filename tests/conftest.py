"""What tests of several packages share."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from killing import start_fork_server

from snac_common.devices import give_back_freed_memory

# Small models gain nothing from threads, and lose a hundredfold where other work holds a core that
# OpenMP waits for. Set before torch is imported, and inherited by the commands under test.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Imports make what stays: looking through it again and again is a tenth of the collection's time.
gc.disable()

# Examples may take as long as a busy machine makes them.
settings.register_profile("without a clock", deadline=None)
settings.load_profile("without a clock")

ROOT = Path(__file__).resolve().parent.parent
SLOW = (ROOT / "tests/slow_modules.txt").read_text().split()  # the longest first


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start what all tests are forked from, whichever comes first; it imports beside them.

    Where xdist hands the tests to other processes, they start their own.
    """
    hands_out = session.config.getoption("numprocesses", None)
    if hasattr(session.config, "workerinput") or not hands_out:
        start_fork_server()


def pytest_collection_finish() -> None:
    """Leave what was imported to garbage collection no more: each one would look at all of it."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_sessionfinish() -> None:
    """Free them at the end: DuckDB reports what it finds alive then, and so does Hypothesis."""
    gc.unfreeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of modules that take some seconds; begin with the longest.

    So no core waits at the end for one that has a long module still.
    """
    items.sort(
        key=lambda item: SLOW.index(name) if (name := name_of(item.path)) in SLOW else len(SLOW)
    )
    for item in items:
        if name_of(item.path) in SLOW:
            item.add_marker(pytest.mark.slow)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import slow modules for tools/test.sh --fast."""
    fast = "not slow" in config.getoption("markexpr")
    return True if fast and name_of(collection_path) in SLOW else None


def name_of(module: Path) -> str:
    """Return a module as slow_modules.txt names it."""
    return os.path.relpath(module, ROOT / "tests")


@pytest.fixture(scope="module", autouse=True)
def small_after_each_module() -> Iterator[None]:
    """Hand back what a module's models took: a process kept some gigabytes of it otherwise."""
    yield
    gc.collect()
    give_back_freed_memory()


@pytest.fixture(scope="session")
def speech() -> Path:
    """The folder of real speech beside the project; the test is skipped where there is none."""
    folder = Path(os.environ.get("SNAC_SPEECH") or ROOT.parent / "shared" / "speech")
    if not folder.is_dir():
        pytest.skip(f"no real speech at {folder}")
    return folder
