"""Two machines under torchrun, of which one loses its process, or is lost and comes back.

Both are this one. The command is the one of ``docs/clusters.md``, with a process for each.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import killing
import pytest
from whole_runs import arguments, result, settings

BIN = Path(sys.executable).parent
DOCS = Path(__file__).parents[2] / "docs/clusters.md"
LONG_S = 900.0
EPOCHS = settings({"curriculum.epochs": "8", "curriculum.epoch_ranges": "1-4,5-8"})
EPOCHS += settings({"tracking.log_every": "1"})
pytestmark = pytest.mark.campaign  # each start of a process loads torch: a minute a test


class Nodes:
    """The launchers of two machines."""

    def __init__(self, root: Path, codes: Path) -> None:
        self.root, port = root, killing.free_port()
        line = arguments(root, codes, *EPOCHS, "--resume", "auto")
        launcher, exported = torchrun(port)
        self._command = [*launcher, *map(str, line)]
        self._environment = {**os.environ, **exported}
        self.agents = [self._start()]
        self._wait_for(port)  # on one machine either would be HEAD, which keeps what both know
        self.agents.append(self._start())

    def _start(self) -> subprocess.Popen[bytes]:
        with (self.root / "log").open("ab") as log:
            return subprocess.Popen(
                self._command, stdout=log, stderr=log, env=self._environment, start_new_session=True
            )

    def _wait_for(self, port: int) -> None:
        end = time.monotonic() + LONG_S
        while self.agents[0].poll() is None and time.monotonic() < end:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)

    def worker(self, number: int) -> int | None:
        """Return the process that a launcher has started, if there is one."""
        agent = self.agents[number].pid
        for path in Path(f"/proc/{agent}/task").glob("*/children"):
            with suppress(OSError):
                for child in map(int, path.read_text().split()):
                    if b"snac_train" in Path(f"/proc/{child}/cmdline").read_bytes():
                        return child
        return None

    def lose(self, number: int) -> None:
        """Have a machine vanish, with all that runs on it."""
        worker = self.worker(number)
        self.agents[number].kill()
        self.agents[number].wait()
        if worker:
            os.kill(worker, signal.SIGKILL)

    def replace(self, number: int) -> None:
        """Start a lost machine's launcher again."""
        self.agents[number] = self._start()

    def wait(self) -> list[int]:
        """Return the exit codes of the launchers."""
        return [agent.wait(LONG_S) for agent in self.agents]

    def end(self) -> None:
        """Leave nothing running."""
        for number in range(2):
            if self.agents[number].poll() is None:
                self.lose(number)


def torchrun(port: int) -> tuple[list[str], dict[str, str]]:
    """Return the command of the page, for one process a machine, up to the run's own options.

    And what is exported before it.
    """
    block = next(b for b in re.findall(r"```sh\n(.*?)```", DOCS.read_text(), re.S) if "nnodes" in b)
    exported = dict(re.findall(r"export (\w+)=(\w+)", block))
    words = block.replace("\\\n", " ").split()
    words = words[words.index("torchrun") : words.index("--") + 1]
    words[words.index("--nproc-per-node") + 1] = "1"
    words[words.index("--rdzv-endpoint") + 1] = f"127.0.0.1:{port}"
    return [str(BIN / words[0]), *words[1:]], exported


@pytest.fixture
def nodes(voices: Path, tmp_path: Path) -> Iterator[Nodes]:
    started = Nodes(tmp_path, voices)
    yield started
    started.end()


@pytest.fixture(scope="module")
def undisturbed(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes that nothing happens to."""
    root = tmp_path_factory.mktemp("undisturbed")
    codes = killing.run_two(arguments(root, voices, *EPOCHS), log=root / "log")
    assert codes == [0, 0], (root / "log").read_text()
    return root


def steps(root: Path) -> int:
    """Return how far a run is."""
    metrics = root / "runs/one/metrics.jsonl"
    lines = metrics.read_text().splitlines() if metrics.exists() else []
    return max((json.loads(line)["step"] for line in lines if line.endswith("}")), default=0)


def wait_until(nodes: Nodes, happened: Callable[[], bool]) -> None:
    """Wait until something has happened; the time only ends a test that has failed."""
    end = time.monotonic() + LONG_S
    while not happened():
        assert time.monotonic() < end, (nodes.root / "log").read_text()
        assert all(agent.poll() is None for agent in nodes.agents), (nodes.root / "log").read_text()
        time.sleep(0.02)


@pytest.mark.parametrize("number", [0, 1])
def test_a_process_that_is_killed_is_started_again(
    nodes: Nodes, undisturbed: Path, number: int
) -> None:
    wait_until(nodes, lambda: steps(nodes.root) >= 4)
    first = nodes.worker(number)
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert nodes.wait() == [0, 0], (nodes.root / "log").read_text()
    assert starts(nodes.root) == 2
    assert result(nodes.root) == result(undisturbed)


def test_a_machine_that_is_lost_comes_back(nodes: Nodes, undisturbed: Path) -> None:
    wait_until(nodes, lambda: steps(nodes.root) >= 4)
    nodes.lose(1)
    nodes.replace(1)
    assert nodes.wait() == [0, 0], (nodes.root / "log").read_text()
    assert starts(nodes.root) == 2
    assert result(nodes.root) == result(undisturbed)


def starts(root: Path) -> int:
    """Return how often a run was started or gone on with, from its log."""
    return (root / "runs/one/train.log").read_text().count("processes")
