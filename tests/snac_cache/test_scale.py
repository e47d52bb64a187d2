"""What size must not cost: in what workers are sent, in their memory, in the order of parts."""

import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from workplace import succeed, write_tone

from snac_cache.encoding import build
from snac_cache.encoding.request import CacheRequest
from snac_cache.schema import MANIFEST, SOURCE
from snac_cache.store import description
from snac_cache.store.code_store import CodeStore
from snac_cache.work import plan
from snac_cache.work.engine import LocalEngine
from snac_cache.work.plan import Part, part_files, part_number, part_sizes
from snac_cache.work.plan_file import Plan, write_plan
from snac_cache.work.workers import run_workers
from snac_common.errors import Failure

CACHE, MANIFEST_COMMAND = "snac_cache.cli.cache", "snac_cache.cli.manifest"
OTHERS = 99_998  # parts


def made_up(rows: int) -> pa.Table:
    """Return manifest rows of files that are not there, with a text of 400 letters."""
    row = {"split": "train", "audio_path": "/a.flac", "source_sample_rate": 24_000, "channels": 1}
    row |= {"num_frames": 24_000, "duration_s": 1.0}
    listed = [{**row, "utterance_id": f"speaker/{number:06}"} for number in range(rows)]
    texts = pa.repeat("a text " * 57, rows)
    return pa.Table.from_pylist(listed, MANIFEST).append_column("text", texts)


class Measuring(LocalEngine):
    """Measures what it would send to a worker, in place of sending it."""

    def run(self, task: Any, items: Any, receive: Any, unfinished: Any) -> None:
        """Take the sizes of the task and of the largest item."""
        largest = max(len(ForkingPickler.dumps(item)) for item in items)
        self.sizes = [len(ForkingPickler.dumps(task)), largest]


def sent(folder: Path, model: Path, rows: int) -> list[int]:
    """Return the sizes of the task and of the largest item that snac-cache sends to a worker."""
    manifest = {"train": made_up(rows), "val": made_up(0)}
    request = CacheRequest(folder / f"{rows:05}", str(model), ["cpu", "cpu"])
    engine = Measuring(request.devices)
    build.build_cache(manifest, request, lambda count: None, engine=engine)
    return engine.sizes


def test_what_a_worker_is_sent_does_not_grow_with_the_manifest(
    tmp_path: Path, model_folder: Path
) -> None:
    few = sent(tmp_path, model_folder, 100)
    many = sent(tmp_path, model_folder, 10_000)
    assert max(few) < 5000
    assert all(abs(more - less) < 20 for less, more in zip(few, many, strict=True))


KEPT = """
import re, sys
from pathlib import Path
from snac_cache.store.resolve import open_manifest

def held(name):
    return int(re.search(rf"{name}:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

before = held("VmRSS")
size = open_manifest(Path(sys.argv[1])).nbytes
print((held("RssAnon") - before) / size)
"""


def test_a_manifest_that_was_opened_for_the_first_time_is_not_kept_in_memory(
    tmp_path: Path,
) -> None:
    """It is mapped from then on, and what it was read into is given back to the system."""
    pq.write_table(made_up(60_000), tmp_path / "train.parquet", compression="zstd")
    done = subprocess.run(
        [sys.executable, "-c", KEPT, tmp_path], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 0.6


def count_items(
    number: int, items: Iterator[int], send: Callable[[Any], None], *, slow: int | None = None
) -> None:
    """Send each item back; one worker may be slow."""
    for item in items:
        if number == slow:
            time.sleep(0.05)
        send((number, item))


@pytest.mark.parametrize("slow", [None, 1])
def test_thousands_of_items_are_each_taken_once(slow: int | None) -> None:
    taken: list[tuple[int, int]] = []
    run_workers(partial(count_items, slow=slow), range(3000), taken.append, 3)
    assert sorted(item for _, item in taken) == list(range(3000))
    if slow is not None:
        by_worker = Counter(number for number, _ in taken)
        assert by_worker[slow] < 1000  # the others did not wait for it


def fail_at(
    number: int, items: Iterator[int], send: Callable[[Any], None], *, problem: str
) -> None:
    """Fail at the fifth item."""
    for item in items:
        if item == 5:
            raise Failure(problem)


def test_a_failure_in_a_worker_is_told_without_a_traceback() -> None:
    with pytest.raises(Failure, match="the disk is full") as raised:
        run_workers(partial(fail_at, problem="the disk is full"), range(9), print, 2)
    assert "Traceback" not in str(raised.value)


def remember_peak(
    number: int, items: Iterator[Any], send: Callable[[Any], None], *, plan: Plan
) -> None:
    """Read the rows of parts as a worker does; send by how much that raised the peak of memory."""
    first = next(items)
    plan.rows(first)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = sum(plan.rows(part).num_rows for part in items)
    send((rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024))


def test_a_workers_memory_does_not_grow_with_the_manifest(tmp_path: Path) -> None:
    """The whole manifest takes 80 MB, and a part of it 2."""
    rows = 200_000
    manifest = {"train": (made_up(rows), part_sizes(rows, 4096))}
    assert manifest["train"][0].nbytes > 80e6
    plan = write_plan(tmp_path, manifest, SOURCE)
    heard: list[tuple[int, float]] = []
    run_workers(partial(remember_peak, plan=plan), plan.parts, heard.append, 1)
    ((read, mebibytes),) = heard
    assert read == rows - 4096
    assert mebibytes < 40


def test_parts_beyond_a_hundred_thousand_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (100_000, 99_999, 2, 1_000_000, 10):
        (tmp_path / f"part-{number:05}.parquet").touch()
    (tmp_path / "part-000002.parquet").touch()  # no name that a part has
    found = [path.stem.removeprefix("part-") for path in part_files(tmp_path)]
    assert found == ["00002", "00010", "99999", "100000", "1000000"]


def test_append_goes_on_after_part_99999(
    tmp_path: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts are called as if 99,998 others were before them."""
    monkeypatch.setattr(
        Part, "name", property(lambda self: f"part-{self.number + OTHERS:05}.parquet")
    )
    for module in (plan, description):
        monkeypatch.setattr(module, "part_number", lambda name: (part_number(name) or 0) - OTHERS)
    where = ["--artifacts", tmp_path, "--model", model_folder, "--device", "cpu"]
    where += ["--workers", 1, "--part-rows", 1]
    for number in range(3):
        write_tone(tmp_path / "in" / f"{number}.wav", 1.0 + number / 10, 24_000)
        if number > 0:
            succeed(MANIFEST_COMMAND, tmp_path / "in", "--artifacts", tmp_path, "--val-ratio", 0)
            succeed(CACHE, *where, *(["--append"] if number == 2 else []))
    assert succeed(CACHE, *where, "--append")["rows"] == 0
    names = [path.name for path in part_files(tmp_path / "codes" / "train")]
    assert names == ["part-99998.parquet", "part-99999.parquet", "part-100000.parquet"]
    store = CodeStore(tmp_path / "codes", "train", tmp_path / "manifests")
    assert [utterance.utterance_id for utterance in store] == ["in/0", "in/1", "in/2"]
