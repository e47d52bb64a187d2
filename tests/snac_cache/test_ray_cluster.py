"""Workers on a Ray cluster: machines die and join, and the result is the one of one process."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ray_machines import Machines, machines
from ray_tasks import always_raise, die_once, die_with
from workplace import command, snapshot, succeed

from snac_cache.work.cluster import Cluster
from snac_cache.work.engine import ray_engine
from snac_cache.work.workers import Task
from snac_common.errors import Failure

CACHE, UPSAMPLE = "snac_cache.cli.cache", "snac_cache.cli.upsample"
LONG_S = 120.0
pytestmark = pytest.mark.campaign  # starting machines takes long, and Ray gives up on a busy one


@pytest.fixture(scope="module")
def cluster() -> Iterator[Machines]:
    """Two machines of a core each, as long as no test kills one."""
    with machines(2) as started:
        yield started


@pytest.fixture(scope="module")
def plain(
    tmp_path_factory: pytest.TempPathFactory, model_folder: Path, manifest_folder: Path
) -> Path:
    """The cache that one process makes."""
    codes = tmp_path_factory.mktemp("plain") / "codes"
    succeed(
        CACHE, *options(model_folder, manifest_folder, codes), "--device", "cpu", "--workers", 1
    )
    return codes


def options(model: Path, manifest: Path, codes: Path) -> list[object]:
    """Return what runs of snac-cache here are given: parts of one utterance."""
    return ["--model", model, "--manifest", manifest, "--codes", codes, "--part-rows", 1]


def on_ray(
    cluster: Machines,
    task: Task,
    items: list[Any],
    receive: Callable[[Any], object] = lambda message: None,
    unfinished: Callable[[list[Any]], list[Any]] = lambda items: items,
) -> None:
    """Run a task on the cluster, from this process."""
    with ray_engine(Cluster(cluster.address), Path.cwd(), "auto") as engine:
        engine.run(task, items, receive, unfinished)


def test_a_cache_is_the_one_of_one_process(
    cluster: Machines, tmp_path: Path, model_folder: Path, manifest_folder: Path, plain: Path
) -> None:
    codes = tmp_path / "codes"
    said = succeed(CACHE, *options(model_folder, manifest_folder, codes), "--ray", cluster.address)
    assert said["workers"] == ["cpu", "cpu"]
    assert snapshot(codes) == snapshot(plain)


def test_the_driver_is_killed_and_another_carries_on(
    cluster: Machines, tmp_path: Path, model_folder: Path, manifest_folder: Path, plain: Path
) -> None:
    codes = tmp_path / "codes"
    given = [*options(model_folder, manifest_folder, codes), "--ray", cluster.address]
    driver = subprocess.Popen(command(CACHE, *given), stderr=subprocess.PIPE, text=True)
    wait_until(lambda: any(codes.glob("*/part-*.parquet")))
    driver.kill()
    driver.communicate()
    said = succeed(CACHE, *given)  # the first one's actors give their cores back
    assert said["skipped_rows"] >= 1
    assert snapshot(codes) == snapshot(plain)


def test_terminated_it_says_so_and_leaves_no_worker(
    cluster: Machines, tmp_path: Path, model_folder: Path, manifest_folder: Path
) -> None:
    codes = tmp_path / "codes"
    given = [*options(model_folder, manifest_folder, codes), "--ray", cluster.address]
    driver = subprocess.Popen(command(CACHE, *given), stderr=subprocess.PIPE, text=True)
    wait_until(lambda: any(codes.glob("*/part-*.parquet")))
    driver.send_signal(signal.SIGTERM)
    _, complaint = driver.communicate(timeout=LONG_S)
    assert driver.returncode == 143, complaint
    assert complaint.splitlines()[-1] == "terminated"
    made = len(list(codes.glob("*/part-*.parquet")))
    time.sleep(1)
    assert len(list(codes.glob("*/part-*.parquet"))) == made


@pytest.mark.parametrize("early", [True, False])
def test_a_group_that_is_terminated_leaves_nothing_and_can_go_on(
    tmp_path: Path, model_folder: Path, manifest_folder: Path, plain: Path, early: bool
) -> None:
    """A batch system signals every process of a job, those that Ray has started too.

    Early is while Ray starts; else it is when a part is there.
    """
    codes = tmp_path / "codes"
    given = [*options(model_folder, manifest_folder, codes), "--ray", "local", "--workers", 1]
    driver = subprocess.Popen(
        command(CACHE, *given), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    if early:
        wait_until(lambda: len(processes_of(driver.pid)) > 1)
    else:
        wait_until(lambda: any(codes.glob("*/part-*.parquet")))
    os.killpg(driver.pid, signal.SIGTERM)
    _, complaint = driver.communicate(timeout=LONG_S)
    assert driver.returncode == 143, complaint
    assert complaint.splitlines()[-1] == "terminated"
    wait_until(lambda: not processes_of(driver.pid))
    succeed(CACHE, *options(model_folder, manifest_folder, codes), "--device", "cpu")
    assert snapshot(codes) == snapshot(plain)


def test_targets_are_those_of_one_process(
    cluster: Machines, tmp_path: Path, manifest_folder: Path
) -> None:
    results = []
    for name, where in (("one", ["--workers", 1]), ("ray", ["--ray", cluster.address])):
        folder, output = tmp_path / "targets", tmp_path / name
        given = ["--engine", "resample", "--manifest", manifest_folder, "--part-rows", 2]
        succeed(UPSAMPLE, *given, "--targets", folder, "-o", output, *where)
        results.append((snapshot(folder), snapshot(output)))
        shutil.rmtree(folder)
    assert results[0] == results[1]


def test_a_machine_dies_and_one_joins(
    tmp_path: Path, model_folder: Path, manifest_folder: Path, plain: Path
) -> None:
    """The first machine dies as soon as a part is there; another one takes its place."""
    from snac_cache.encoding.build import build_cache
    from snac_cache.encoding.request import CacheRequest
    from snac_cache.manifests.read import read_manifest

    codes = tmp_path / "codes"
    with machines(1) as cluster:

        def disturb(count: int) -> None:
            if cluster.nodes and len(cluster.nodes) == 1 and not disturbed:
                disturbed.append(True)
                cluster.kill()
                cluster.join(cores=2)

        disturbed: list[bool] = []
        with ray_engine(Cluster(cluster.address), codes, "auto") as engine:
            request = CacheRequest(codes, str(model_folder), engine.devices, part_rows=1)
            build_cache(read_manifest(manifest_folder), request, disturb, engine=engine)
    assert disturbed
    assert snapshot(codes) == snapshot(plain)


def test_what_a_dead_worker_had_done_is_not_done_again(cluster: Machines, tmp_path: Path) -> None:
    def unfinished(items: list[int]) -> list[int]:
        return [item for item in items if not (tmp_path / f"{item}.done").exists()]

    received: list[int] = []
    task = partial(die_once, tmp_path)
    on_ray(cluster, task, list(range(12)), received.append, unfinished)
    assert sorted(path.stem for path in tmp_path.glob("*.done")) == sorted(map(str, range(12)))
    begun = (tmp_path / "begun").read_text().split()
    assert {item: begun.count(item) for item in begun if begun.count(item) > 1} == {"5": 2}


def test_what_kills_every_worker_ends_the_work(cluster: Machines, tmp_path: Path) -> None:
    with pytest.raises(Failure, match="5 workers died one after the other"):
        on_ray(cluster, partial(die_with, {1}, tmp_path), [1])


def test_what_a_worker_raises_is_shown(cluster: Machines) -> None:
    with pytest.raises(Failure, match="KeyError: 'no such thing'"):
        on_ray(cluster, always_raise, [1])


def test_another_version_of_a_package_is_refused(tmp_path: Path) -> None:
    """A machine of which the code differs by a line is named before any work is done."""
    import snac_common

    source = Path(str(snac_common.__file__)).parent
    shutil.copytree(source, tmp_path / "other" / "snac_common")
    with (tmp_path / "other" / "snac_common" / "errors.py").open("a") as file:
        file.write("# another line\n")
    path = os.pathsep.join([str(tmp_path / "other"), *sys.path])
    with machines(0) as cluster:
        cluster.join(path=path)
        with pytest.raises(Failure, match="has another snac_common than the one that started"):
            on_ray(cluster, always_raise, [1])


def wait_until(happened: Callable[[], bool]) -> None:
    """Wait until something has happened; the time only ends a test that has failed."""
    end = time.monotonic() + LONG_S
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)


def processes_of(session: int) -> list[int]:
    """Return the processes of a session that have not ended, its first one's number given."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, its_session = stat.read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                found.append(int(stat.parent.name))
    return found
