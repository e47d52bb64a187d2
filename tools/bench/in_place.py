"""What it costs to train from audio in containers, against audio in files.

    uv run python tools/bench/in_place.py ../shared/speech/nathalie

The same utterances of 5 to 12 s lie in files, in a tar, in one recording of hours, and in parquet
with row groups of 100 rows. One process reads segments of them at random, as training does, from
each in turns; the best of five turns counts. All was just written, so the system has it in memory.
"""

import tarfile
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
import torch
from long_speech import join_speech, write_cache

from snac_cache import CodeStore
from snac_cache.sources.tar_index import Member, index_tar
from snac_common.tool import Tool
from snac_train.data.dataset import SegmentDataset, Utterances
from snac_train.data.references import Targets
from snac_train.data.slices import Draws

ITEMS, TURNS = 150, 5
GROUP_ROWS = 100


@click.command(cls=Tool, example="bench/in_place.py ../shared/speech/nathalie")
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
def main(folder: Path) -> None:
    """Join the speech in FOLDER to files of 5 to 12 s, and read segments of them."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        files = join_speech(folder, root / "files", "flac")
        held = {
            "files": [str(path) for path in files],
            "a tar": in_tar(files, root / "some.tar"),
            "a recording of hours": in_one(files, root / "long.flac"),
            "parquet": in_parquet(files, root / "some.parquet"),
        }
        for kind, places in held.items():
            write_cache(list(map(Path, places)), root / kind)
        print("| items / s, one process | 1 s | of files | 4 s | of files |")
        print("| --- | ---: | ---: | ---: | ---: |")
        rates = {
            seconds: measure([root / kind for kind in held], seconds) for seconds in (1.0, 4.0)
        }
        for place, kind in enumerate(held):
            cells = [
                f"{found[place]:.0f} | {found[place] / found[0]:.2f}" for found in rates.values()
            ]
            print(f"| {kind} | {' | '.join(cells)} |")
    print()


def in_tar(files: list[Path], path: Path) -> list[str]:
    """Write files into a tar; return their places."""
    with tarfile.open(path, "w") as tar:
        for file in files:
            tar.add(file, file.name)
    return [
        member.locator(str(path)) for member in index_tar(str(path)) if isinstance(member, Member)
    ]


def in_one(files: list[Path], path: Path) -> list[str]:
    """Write files into one recording; return their places."""
    audio = [soundfile.read(file, dtype="int16") for file in files]
    soundfile.write(path, np.concatenate([samples for samples, _ in audio]), audio[0][1])
    starts = np.cumsum([0, *(len(samples) for samples, _ in audio)])
    return [f"{path}?start={a}&frames={b - a}" for a, b in pairwise(starts)]


def in_parquet(files: list[Path], path: Path) -> list[str]:
    """Write files into parquet; return their places."""
    table = pa.table({"audio": [{"bytes": file.read_bytes()} for file in files]})
    pq.write_table(table, path, row_group_size=GROUP_ROWS)
    rows = (divmod(row, GROUP_ROWS) for row in range(len(files)))
    return [f"{path}?g={group}&r={row}&c=audio.bytes" for group, row in rows]


def measure(caches: list[Path], seconds: float) -> list[float]:
    """Return the best items a second of each cache."""
    readers = [reader(codes, seconds) for codes in caches]
    order = np.random.default_rng(0).permutation(4096).tolist()
    best = [0.0 for _ in readers]
    for turn in range(TURNS):
        items = order[turn * ITEMS : (turn + 1) * ITEMS]
        for place, read in enumerate(readers):
            started = time.perf_counter()
            for item in items:
                read(item)
            best[place] = max(best[place], len(items) / (time.perf_counter() - started))
    return best


def reader(codes: Path, seconds: float) -> Callable[[int], object]:
    """Return what reads an item of training."""
    store = CodeStore(codes, "train")
    return SegmentDataset(
        Utterances(store, np.arange(len(store))),
        Targets(),
        store.geometry,
        segment_tokens=store.geometry.coarse_tokens(seconds),
        context=store.geometry.context_tokens,
        draws=Draws.for_epoch(0, 1),
    ).__getitem__


if __name__ == "__main__":
    main()
