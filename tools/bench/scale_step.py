"""One step of ``scale.py``, in a process of its own: prints its cost as JSON."""

import io
import json
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import numpy as np
import torch

from snac_cache import CodeStore
from snac_cache.cli.check import main as check_command
from snac_cache.schema import SOURCE
from snac_cache.store.code_store import CachedUtterance
from snac_cache.store.resolve import manifest_rows
from snac_cache.work.plan import part_sizes
from snac_cache.work.plan_file import write_plan
from snac_common.artifacts import Artifacts
from snac_train.data.dataset import SegmentDataset, Utterances
from snac_train.data.references import Targets
from snac_train.data.slices import Draws

ROWS = 1000
EVERY_SECONDS = 0.1


class Silence(Targets):
    """Targets of utterances that have no audio."""

    def read(self, utterance: CachedUtterance, start: int, stop: int) -> torch.Tensor:
        """Return silence."""
        return torch.zeros(stop - start)


@contextmanager
def measured() -> Iterator[None]:
    """Print what the work inside took, as ``scale.Cost``."""
    started, cpu_started = time.monotonic(), time.process_time()
    with own_memory() as peaks:
        yield
    cost = {
        "seconds": time.monotonic() - started,
        "cpu_seconds": time.process_time() - cpu_started,
        "gibibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "own_gibibytes": max(peaks) / 2**20,
    }
    print(json.dumps(cost))


@contextmanager
def own_memory() -> Iterator[list[int]]:
    """Take down every now and then what this process holds, without mapped files, in KiB."""
    ended, peaks = threading.Event(), [0]

    def look() -> None:
        while not ended.wait(EVERY_SECONDS):
            status = Path("/proc/self/status").read_text()
            peaks.append(int(status.partition("RssAnon:")[2].split()[0]))

    watching = threading.Thread(target=look)
    watching.start()
    try:
        yield peaks
    finally:
        ended.set()
        watching.join()


def read(places: Artifacts) -> None:
    """Read the manifest."""
    with measured():
        manifest_rows(places.manifests)


def plan(places: Artifacts) -> None:
    """Write the plan of a manifest that was read."""
    manifest = manifest_rows(places.manifests)
    sized = {split: (table, part_sizes(table.num_rows, None)) for split, table in manifest.items()}
    with measured(), tempfile.TemporaryDirectory(dir=places.root) as folder:
        write_plan(Path(folder), sized, SOURCE)


def open_train(places: Artifacts) -> CodeStore:
    """Open the store with the manifest as it is now."""
    return CodeStore(places.codes, "train", places.manifests)


def open_store(places: Artifacts) -> None:
    """Open the store and look at a row."""
    with measured():
        open_train(places)[0]


def read_rows(places: Artifacts) -> None:
    """Read the codes of random rows."""
    store = open_train(places)
    rows = random_rows(store)
    with measured():
        for row in rows:
            store.codes(row)


def segments(places: Artifacts) -> None:
    """Read training segments of random rows, as a training's reading process does."""
    store = open_train(places)
    geometry = store.geometry
    dataset = SegmentDataset(
        Utterances(store, np.arange(len(store))),
        Silence(),
        geometry,
        segment_tokens=geometry.coarse_tokens(1.0),
        context=geometry.context_tokens,
        draws=Draws.for_epoch(0, 1),
    )
    with measured():
        for row in random_rows(store):
            dataset[row]


def index_of(places: Artifacts) -> None:
    """Find random ids."""
    store = open_train(places)
    ids = [store[row].utterance_id for row in random_rows(store)]
    with measured():
        for utterance_id in ids:
            store.index_of(utterance_id)


def check(places: Artifacts) -> None:
    """Run all checks."""
    with measured(), redirect_stdout(io.StringIO()):
        check_command.main(["--artifacts", str(places.root)], standalone_mode=False)


def random_rows(store: CodeStore) -> list[int]:
    """Return the same rows in every process."""
    return np.random.default_rng(0).integers(0, len(store), ROWS).tolist()


STEPS: dict[str, Callable[[Artifacts], None]] = {
    "map_manifest": read,
    "map_again": read,
    "write_plan": plan,
    "open_store": open_store,
    "open_again": open_store,
    "rows_first": read_rows,
    "rows_again": read_rows,
    "segments": segments,
    "index_of": index_of,
    "check": check,
}

if __name__ == "__main__":
    STEPS[sys.argv[1]](Artifacts.at(sys.argv[2]))
