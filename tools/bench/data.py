"""The data path: our SegmentDataset against the loop that people write first.

    uv run python tools/bench/data.py ../shared/speech/nathalie

The plain loop reads the row group that holds an item's codes, reads its whole audio file and
resamples all of it on the CPU, then cuts the segment out. Both run in one process and one thread,
in turns; each turn's items are other ones, and the best turn counts. All files were just written,
so the system has them in memory.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pyarrow.parquet as pq
import soundfile
import torch
import torchaudio
from long_speech import join_speech, write_cache

from snac_cache import CodeStore
from snac_common.tool import Tool
from snac_model.shapes.geometry import Geometry
from snac_train.data.dataset import SegmentDataset, Utterances
from snac_train.data.references import TARGET_RATE, Targets
from snac_train.data.slices import Draws

ITEMS = {"plain": 20, "ours": 200}
TURNS = 5


@click.command(cls=Tool, example="bench/data.py ../shared/speech/nathalie")
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
def main(folder: Path) -> None:
    """Join the speech in FOLDER to files of 5 to 12 s, and read segments of them."""
    torch.set_num_threads(1)
    print("| items / s, one process | plain loop | ours | ratio |\n| --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as name:
        for suffix in ("wav", "flac"):
            files = join_speech(folder, Path(name) / suffix, suffix)
            codes = Path(name) / f"codes-{suffix}"
            write_cache(files, codes)
            for seconds in (1.0, 4.0):
                plain, ours = compare(codes, seconds)
                print(
                    f"| {suffix}, {seconds:g} s | {plain:.0f} | {ours:.0f} | {ours / plain:.1f} |"
                )
    print()


def compare(codes: Path, seconds: float) -> tuple[float, float]:
    """Return items a second of the plain loop and of ours."""
    store = CodeStore(codes, "train")
    tokens = store.geometry.coarse_tokens(seconds)
    dataset = SegmentDataset(
        Utterances(store, np.arange(len(store))),
        Targets(),
        store.geometry,
        segment_tokens=tokens,
        context=store.geometry.context_tokens,
        draws=Draws.for_epoch(0, 1),
    )
    plain = PlainLoop(codes / "train", store.geometry, tokens)
    readers: dict[str, Callable[[int], object]] = {
        "plain": plain.item,
        "ours": dataset.__getitem__,
    }
    order = iter(np.random.default_rng(0).permutation(len(store)).tolist())
    best = dict.fromkeys(readers, 0.0)
    for _ in range(TURNS):
        for name, read in readers.items():
            items = [next(order) for _ in range(ITEMS[name])]
            started = time.perf_counter()
            for item in items:
                read(item)
            best[name] = max(best[name], len(items) / (time.perf_counter() - started))
    return best["plain"], best["ours"]


class PlainLoop:
    """Reads everything, then cuts."""

    def __init__(self, codes: Path, geometry: Geometry, tokens: int) -> None:
        self.geometry = geometry
        self.tokens = tokens
        self.random = np.random.default_rng(0)
        self.places = [
            (path, group, row)
            for path in sorted(codes.glob("part-*.parquet"))
            for group in range(pq.ParquetFile(path).num_row_groups)
            for row in range(pq.ParquetFile(path).metadata.row_group(group).num_rows)
        ]

    def item(self, index: int) -> list[torch.Tensor]:
        """Return the codes of a random segment, and its audio at 24 and at 48 kHz."""
        path, group, number = self.places[index]
        row = pq.ParquetFile(path).read_row_group(group).slice(number, 1).to_pylist()[0]
        audio, rate = soundfile.read(row["audio_path"], dtype="float32", always_2d=True)
        at_48k = torch.from_numpy(audio.mean(axis=1))
        at_24k = torchaudio.functional.resample(at_48k, rate, self.geometry.sample_rate)
        start = int(self.random.integers(len(row["codes_0"]) - self.tokens))
        codes = [
            torch.tensor(row[f"codes_{level}"][self.geometry.token_span(level, start, self.tokens)])
            for level in range(self.geometry.levels)
        ]
        spans = [
            self.geometry.sample_span(rate, start, self.tokens)
            for rate in (self.geometry.sample_rate, TARGET_RATE)
        ]
        return [*codes, at_24k[spans[0]], at_48k[spans[1]]]


if __name__ == "__main__":
    main()
