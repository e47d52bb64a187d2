"""Workers on a Ray cluster: what is done with what they say, and what is refused.

Ray's part is played by threads here; ``test_ray_cluster.py`` has real machines.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ray_played import PlayedRay
from ray_tasks import always_raise, die_once, die_with
from workplace import run

from snac_cache.work import ray_actor, ray_cluster, ray_workers
from snac_cache.work.cluster import Cluster
from snac_cache.work.engine import RayEngine
from snac_cache.work.ray_nodes import Driver, follow, versions
from snac_cache.work.workers import Task
from snac_common.errors import Failure
from snac_common.tool import Terminated

CACHE = "snac_cache.cli.cache"


def on_ray(
    task: Task,
    items: list[Any],
    receive: Callable[[Any], object] = lambda message: None,
    unfinished: Callable[[list[Any]], list[Any]] = lambda items: items,
    *,
    cores: int = 2,
    most: int | None = None,
    played: PlayedRay | None = None,
) -> PlayedRay:
    """Run a task on a cluster of so many cores; return what played Ray's part."""
    played = played or PlayedRay(cores)
    engine = RayEngine(played, Cluster("auto", most), Path.cwd(), ["cpu"] * cores, 1)
    engine.run(task, items, receive, unfinished)
    return played


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the cluster whenever there is a moment, and believe its machines."""
    monkeypatch.setattr(ray_workers, "SECONDS_BETWEEN_LOOKS", 0.01)
    monkeypatch.setattr(ray_workers, "check_nodes", lambda ray, driver: None)


def test_what_a_dead_worker_had_done_is_not_done_again(tmp_path: Path) -> None:
    def unfinished(items: list[int]) -> list[int]:
        return [item for item in items if not (tmp_path / f"{item}.done").exists()]

    received: list[int] = []
    on_ray(partial(die_once, tmp_path), list(range(12)), received.append, unfinished)
    assert sorted(path.stem for path in tmp_path.glob("*.done")) == sorted(map(str, range(12)))
    begun = (tmp_path / "begun").read_text().split()
    assert {item: begun.count(item) for item in begun if begun.count(item) > 1} == {"5": 2}
    assert set(received) == set(range(12))


def test_what_kills_every_worker_ends_the_work(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="5 workers died one after the other"):
        on_ray(partial(die_with, {1}, tmp_path), [1])
    assert len(list(tmp_path.iterdir())) == 5


def test_what_kills_some_workers_does_not(tmp_path: Path) -> None:
    """Deaths are counted anew whenever a worker has come to something."""
    items = list(range(40))
    on_ray(partial(die_with, set(range(0, 40, 4)), tmp_path), items, unfinished=lambda items: [])
    assert len(list(tmp_path.iterdir())) == 10


def test_what_a_worker_raises_is_shown() -> None:
    with pytest.raises(Failure, match="KeyError: 'no such thing'"):
        on_ray(always_raise, [1])


@pytest.mark.parametrize(("most", "expected"), [(None, 3), (2, 2), (9, 3)])
def test_there_are_as_many_workers_as_there_is_room_for(
    tmp_path: Path, most: int | None, expected: int
) -> None:
    played = on_ray(partial(die_with, set(), tmp_path), list(range(6)), cores=3, most=most)
    assert len(played.actors) == expected
    assert all(actor.killed for actor in played.actors)


class Signalled(PlayedRay):
    """Is signalled while it waits, of which Ray's own code makes errors of its own."""

    number: int

    def wait(self, *arguments: Any, **options: Any) -> tuple[list[Any], list[Any]]:
        """Raise a signal, and see that nothing comes of it here."""
        try:
            signal.raise_signal(self.number)
        except BaseException as error:
            raise SystemError("returned a result with an exception set") from error
        return super().wait(*arguments, **options)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_work_but_not_within_ray(
    tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Signalled, "number", number, raising=False)
    before = signal.signal(number, terminate)
    try:
        with pytest.raises(Terminated):
            on_ray(partial(die_with, set(), tmp_path), list(range(6)), played=Signalled(2))
        assert signal.getsignal(number) is terminate
    finally:
        signal.signal(number, before)


def terminate(number: int, frame: object) -> None:
    raise Terminated


def test_a_signal_while_ray_starts_waits_and_spares_what_it_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ray puts a handler of its own in place, and its processes are in the command's group."""
    blocked: list[str] = []

    def start(ray: object, cluster: Cluster) -> None:
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))
        signal.raise_signal(signal.SIGTERM)
        say = "import signal; print(*(int(s) for s in signal.pthread_sigmask(0, [])))"
        blocked.extend(subprocess.check_output([sys.executable, "-c", say], text=True).split())

    monkeypatch.setattr(ray_cluster, "_init", start)
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        with pytest.raises(Terminated), ray_cluster.joined(Cluster("local")):
            pytest.fail("it was signalled before")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert str(int(signal.SIGTERM)) in blocked


def speak_often(number: int, items: Iterator[int], send: Callable[[Any], object]) -> None:
    for _ in range(60):
        send(1)
        time.sleep(0.01)
    next(items)
    send("the last")


def test_counts_are_told_together_and_wishes_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A thousand workers that each told of every hundred utterances would drown the driver."""
    monkeypatch.setattr(ray_actor, "SECONDS_BETWEEN_ANSWERS", 0.25)
    monkeypatch.setattr(ray_actor, "follow", lambda driver: "")
    actor = ray_actor.TaskActor(speak_often, Driver(tmp_path, tmp_path, {}, {}))
    answers = [actor.events()]
    while answers[-1][-1] != ("next", None):
        answers.append(actor.events())
    assert sum(content for answer in answers for kind, content in answer if kind == "message") == 60
    assert len(answers) < 8
    actor.give([1])
    monkeypatch.setattr(ray_actor, "SECONDS_BETWEEN_ANSWERS", 60.0)
    assert actor.events() == [("message", "the last"), ("done", None)]


def test_a_machine_that_cannot_follow_says_why(tmp_path: Path) -> None:
    here = Driver(tmp_path, tmp_path, {}, versions())
    back = Path.cwd()
    try:
        assert follow(here) == ""
        gone = tmp_path / "gone"
        assert follow(Driver(tmp_path, gone, {}, versions())).startswith(f"does not see {gone}.")
        others = {**versions(), "torch": "1.0"}
        assert follow(Driver(tmp_path, tmp_path, {}, others)).startswith("has another torch than")
    finally:
        os.chdir(back)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (["--gpus", "0"], "leave out --gpus"),
        (["--rank", "0/2"], "without a launcher"),
    ],
)
def test_options_that_contradict(given: list[str], complaint: str) -> None:
    refused = run(CACHE, "--ray", "auto", *given)
    assert refused.exit_code == 2
    assert complaint in refused.stderr


def test_no_such_cluster(
    monkeypatch: pytest.MonkeyPatch, manifest_folder: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))  # where auto looks for one
    given = ["--manifest", manifest_folder, "--codes", tmp_path / "codes"]
    refused = run(CACHE, *given, "--ray", "auto")
    assert refused.exit_code == 1
    assert "error: --ray auto: this cluster cannot be used: " in refused.stderr


def test_a_cluster_that_does_not_answer_is_said_at_once(
    manifest_folder: Path, tmp_path: Path
) -> None:
    """Ray itself would try for ten minutes."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        given = ["--manifest", manifest_folder, "--codes", tmp_path / "codes"]
        refused = run(CACHE, *given, "--ray", address)
    assert refused.exit_code == 1
    assert f"error: --ray {address}: this cluster cannot be used: " in refused.stderr


def test_without_ray(
    monkeypatch: pytest.MonkeyPatch, manifest_folder: Path, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    given = ["--manifest", manifest_folder, "--codes", tmp_path / "codes"]
    refused = run(CACHE, *given, "--ray", "local")
    assert refused.exit_code == 1
    assert "pip install 'ray>=2.50'" in refused.stderr
