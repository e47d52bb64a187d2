"""Kill machines of a Ray cluster at random, let others join, and compare what comes of it.

    uv run python tools/ray_test.py ../shared/speech/nathalie --parts 200 --kills 50

The machines are all on this one. A cache is made by one process, and then by the cluster while
machines die and join. Both must be the same, byte for byte, and no part may have been begun more
often than once and once more for each time that a worker died that had it.
"""

import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from snac_common.console import note, print_summary
from snac_common.errors import Failure
from snac_common.tool import Tool

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from ray_machines import Machines, machines
from workplace import snapshot, succeed

from snac_cache.work.cluster import Cluster
from snac_cache.work.engine import RayEngine, Unfinished, ray_engine
from snac_cache.work.plan import Part
from snac_cache.work.workers import Task

MODEL = "builtin:speech-small"


@click.command(cls=Tool, example="ray_test.py ../shared/speech/nathalie --parts 200 --kills 50\n")
@click.argument("speech", type=click.Path(exists=True, path_type=Path))
@click.option("--parts", type=click.IntRange(1), default=200, help="Number of parts, of one file.")
@click.option("--kills", type=click.IntRange(1), default=50, help="Machines to kill.")
@click.option("--seed", type=int, default=0, help="Decide the moments.")
def main(*, speech: Path, parts: int, kills: int, seed: int) -> None:
    """Make a cache on a cluster whose machines die and join, and compare it."""
    root = Path(tempfile.mkdtemp(prefix="ray-test-"))
    succeed("snac_cache.cli.manifest", speech, "-o", root / "manifests", "--val-ratio", 0.01)
    given = ["--model", MODEL, "--manifest", root / "manifests", "--limit", parts, "--part-rows", 1]
    one = ["--device", "cpu", "--workers", 1]
    started = time.monotonic()
    succeed("snac_cache.cli.cache", *given, "--codes", root / "one", *one)
    alone = time.monotonic() - started
    with machines(3) as cluster:
        disturbance = Disturbance(cluster, kills, random.Random(seed))
        begun, lost = build(root, parts, cluster, disturbance)
    if too_often := [part for part, count in begun.items() if count > 1 + lost[part]]:
        raise Failure(f"begun too often: {', '.join(too_often)}; see {root}")
    if snapshot(root / "one") != snapshot(root / "ray"):
        raise Failure(f"the caches in {root} differ")
    killed = disturbance.killed
    print_summary(
        parts=parts,
        machines_killed=killed,
        parts_lost_with_a_worker=sum(lost.values()),
        begun_twice_or_more=sum(count > 1 for count in begun.values()),
        begun_most=max(begun.values()),
        seconds_of_one_process=round(alone, 1),
        seconds_on_the_cluster=round(time.monotonic() - started - alone, 1),
    )
    shutil.rmtree(root)


class Disturbance:
    """Kills a machine now and then, and lets another one join."""

    def __init__(self, cluster: Machines, kills: int, chance: random.Random) -> None:
        self.cluster, self.kills, self.chance = cluster, kills, chance
        self.killed = 0
        self.next = 2

    def __call__(self, count: int) -> None:
        """Take note of utterances that are done."""
        self.next -= count
        if self.next > 0 or self.killed == self.kills:
            return
        self.next = self.chance.randrange(1, 5)
        self.killed += 1
        note(f"killing machine {self.killed} of {self.kills}")
        self.cluster.kill(self.chance.randrange(len(self.cluster.nodes)))
        self.cluster.join()


class CountingEngine(RayEngine):
    """Has each worker write down which parts it begins, and counts which were lost with one."""

    lost: Counter[str]

    def run(
        self,
        task: Task,
        items: Any,
        receive: Callable[[Any], object],
        unfinished: Unfinished,
    ) -> None:
        """See ``Engine.run``."""
        self.lost = Counter()

        def left(parts: list[Part]) -> list[Part]:
            again = unfinished(parts)
            self.lost.update(map(place_of, again))
            return again

        super().run(partial(counted, task, self.folder.parent / "begun"), items, receive, left)


def place_of(part: Part) -> str:
    """Return where a part is written."""
    return f"{part.split}/{part.name}"


def counted(
    task: Task, log: Path, number: int, parts: Iterator[Part], send: Callable[[Any], object]
) -> None:
    """Run a task, and write down each part that it takes."""

    def taken() -> Iterator[Part]:
        for part in parts:
            with log.open("a") as begun:
                begun.write(f"{place_of(part)}\n")
            yield part

    task(number, taken(), send)


def build(
    root: Path, parts: int, cluster: Machines, disturbance: Disturbance
) -> tuple[Counter[str], Counter[str]]:
    """Make the cache on the cluster; return how often each part was begun, and lost."""
    from snac_cache.encoding.build import build_cache
    from snac_cache.encoding.request import CacheRequest
    from snac_cache.manifests.limit import samples
    from snac_cache.manifests.read import read_manifest

    codes = root / "ray"
    with ray_engine(Cluster(cluster.address), codes, "cpu") as joined:
        engine = CountingEngine(**vars(joined))
        request = CacheRequest(codes, MODEL, engine.devices, part_rows=1)
        rows = samples(read_manifest(root / "manifests"), parts, 0)
        build_cache(rows, request, disturbance, engine=engine)
        lost = engine.lost
    return Counter((root / "begun").read_text().split()), lost


if __name__ == "__main__":
    main()
