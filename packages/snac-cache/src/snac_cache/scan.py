"""From folders of audio to manifest rows: header scans, ids, splits, rejects."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from snac_cache.schema import MANIFEST, REJECTS
from snac_cache.splits import SplitRule
from snac_model.artifacts import SPLITS
from snac_model.audio_header import AudioError, read_header
from snac_model.errors import BadInput

TARGET_RATE = 48_000
COMMON = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3")
OTHERS = (".aif", ".aifc", ".aiff", ".au", ".caf", ".rf64", ".snd", ".w64")
EXTENSIONS = frozenset((*COMMON, *OTHERS))  # what libsndfile reads and people have
ROWS_IN_FLIGHT = 4096


@dataclass(frozen=True)
class AudioFile:
    """A file found in a source, before it is looked into."""

    path: Path
    utterance_id: str
    split: str | None


@dataclass
class Scan:
    """Manifest rows by split, and what was rejected."""

    rows: dict[str, pa.Table]
    rejects: pa.Table

    @property
    def num_rows(self) -> int:
        """Rows over all splits."""
        return sum(table.num_rows for table in self.rows.values())

    @property
    def hours(self) -> float:
        """Hours of audio over all splits."""
        return sum(_total(table, "duration_s") for table in self.rows.values()) / 3600


@dataclass
class _Collector:
    """Gathers rows as Arrow batches, so that millions of files stay small in memory."""

    schema: pa.Schema
    batches: list[pa.RecordBatch] = field(default_factory=list)

    def add(self, rows: list[dict[str, Any]]) -> None:
        self.batches.append(pa.RecordBatch.from_pylist(rows, schema=self.schema))

    def table(self) -> pa.Table:
        return pa.Table.from_batches(self.batches, schema=self.schema)


def scan(
    sources: list[Path],
    *,
    val_ratio: float,
    min_duration: float,
    workers: int,
    advance: Callable[[int], object],
) -> Scan:
    """Read the header of every audio file below the sources.

    Rows come in the order of their paths, whatever the number of workers. ``advance`` is told of
    files as they are done.

    Raises:
        BadInput: if a source does not exist or holds no audio.
    """
    rows, rejects = _Collector(MANIFEST), _Collector(REJECTS)
    seen: set[str] = set()
    files = _find_all(sources, val_ratio)
    with ThreadPoolExecutor(workers) as pool:
        while batch := list(islice(files, ROWS_IN_FLIGHT)):
            inspected = pool.map(lambda file: _inspect(file, min_duration), batch)
            entries = [_reject_repeated(entry, seen) for entry in inspected]
            rows.add([entry for entry in entries if "reason" not in entry])
            rejects.add([entry for entry in entries if "reason" in entry])
            advance(len(batch))
    if not rows.batches:
        raise BadInput(f"no audio files in {', '.join(map(str, sources))}")
    table = rows.table()
    by_split = {split: table.filter(pc.equal(table.column("split"), split)) for split in SPLITS}
    return Scan(by_split, rejects.table())


def _find_all(sources: list[Path], val_ratio: float) -> Iterator[AudioFile]:
    """Find the audio of all sources; ids start with the source's name if there are several."""
    for source in sources:
        if not source.exists():
            raise BadInput(f"there is no folder or file {source}")
        prefix = f"{source.resolve().name}/" if len(sources) > 1 else ""
        rule = SplitRule.of(source, val_ratio)
        for path in _audio_paths(source):
            relative = path.relative_to(source) if path != source else Path(path.name)
            utterance_id = prefix + relative.with_suffix("").as_posix()
            yield AudioFile(path, utterance_id, rule.split(relative, utterance_id))


def _audio_paths(source: Path) -> Iterator[Path]:
    """Yield audio files below a folder in the order of their paths, through links but no loops."""
    if source.is_file():
        yield source
        return
    visited: set[str] = set()
    for folder, subfolders, names in os.walk(source, followlinks=True):
        real = os.path.realpath(folder)
        if real in visited:
            subfolders.clear()
            continue
        visited.add(real)
        subfolders.sort()
        for name in sorted(names):
            if os.path.splitext(name)[1].lower() in EXTENSIONS and not name.startswith("._"):
                yield Path(folder, name)


def _inspect(file: AudioFile, min_duration: float) -> dict[str, Any]:
    """Return a manifest row, or a rejects row, for one file."""
    row: dict[str, Any] = {
        "utterance_id": _printable(file.utterance_id),
        "split": file.split,
        "audio_path": _printable(os.path.abspath(file.path)),
    }
    if row["audio_path"] != os.path.abspath(file.path):
        return _reject_row(row, "bad_name", "the path is not valid UTF-8: rename it")
    if file.split is None:
        return _reject_row(row, "outside_splits", "the source has split folders; this is in none")
    try:
        header = read_header(file.path)
    except AudioError as error:
        return _reject_row(row, error.reason, error.detail)
    if header.duration_s < min_duration:
        detail = f"{header.duration_s:.3f} s, shorter than --min-duration {min_duration:g}"
        return _reject_row(row, "too_short", detail)
    return {
        **row,
        "source_sample_rate": header.sample_rate,
        "channels": header.channels,
        "num_frames": header.num_frames,
        "duration_s": header.duration_s,
        "target_path": row["audio_path"] if header.sample_rate == TARGET_RATE else None,
    }


def _reject_repeated(entry: dict[str, Any], seen: set[str]) -> dict[str, Any]:
    """Turn a good row whose id was seen before into a reject; remember the id otherwise."""
    if "reason" in entry:
        return entry
    if entry["utterance_id"] in seen:
        return _reject_row(entry, "duplicate_id", "another file of this source has the same id")
    seen.add(entry["utterance_id"])
    return entry


def _reject_row(row: dict[str, Any], reason: str, detail: str) -> dict[str, Any]:
    place = {name: row[name] for name in ("utterance_id", "split", "audio_path")}
    return {**place, "stage": "manifest", "reason": reason, "detail": detail}


def _printable(text: str) -> str:
    """Return text that can be stored: bytes of a name that are not UTF-8 become escapes."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _total(table: pa.Table, column: str) -> float:
    return pc.sum(table.column(column)).as_py() or 0.0
