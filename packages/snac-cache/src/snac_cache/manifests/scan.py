"""From folders of audio to manifest rows: header scans, splits, rejects."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from snac_cache.fingerprint import audio_fingerprint
from snac_cache.manifests.find import TARGET_FOLDER, Found, find_audio
from snac_cache.manifests.formats import READABLE, UNSUPPORTED, ending
from snac_cache.manifests.sources import Source
from snac_cache.manifests.splits import Grouping
from snac_cache.schema import MANIFEST, REJECTS, TARGET_RATE
from snac_common.artifacts import SPLITS
from snac_common.errors import BadInput
from snac_model.audio_header import AudioError, read_header

FILES_AT_ONCE = 64  # that a thread takes: a header is too little to hand over alone
CHUNKS_A_THREAD = 8
HASHED = "hashed"
SCANNED = MANIFEST.append(pa.field(HASHED, pa.float64()))


@dataclass(frozen=True)
class Durations:
    """Which utterances are wanted, in seconds."""

    shortest: float = 1.0
    longest: float | None = None


@dataclass
class Scan:
    """Manifest rows by split, and what was rejected.

    Attributes:
        target_folders: left out, for they hold the audio of the folders beside them at 48 kHz.
    """

    rows: dict[str, pa.Table]
    rejects: pa.Table
    target_folders: list[Path] = field(default_factory=list)

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
    sources: list[Source],
    *,
    val_ratio: float,
    durations: Durations,
    workers: int,
    advance: Callable[[int], object],
    grouping: Grouping | None = None,
    with_targets: bool = True,
) -> Scan:
    """Read the header of every audio file below the sources.

    Rows come in the order of their paths, whatever the number of workers. ``advance`` is told of
    files as they are done; for the rest see ``find_audio``. Where the hashes leave nothing for
    validation, the file or group of the lowest hash is, unless ``val_ratio`` is 0.

    Raises:
        BadInput: if the sources hold no audio that can be read.
        Failure: if a folder cannot be listed.
    """
    rows, rejects = _Collector(SCANNED), _Collector(REJECTS)
    targets: list[Path] = []
    files = find_audio(sources, val_ratio, grouping, with_targets=with_targets)
    at_once = workers * CHUNKS_A_THREAD * FILES_AT_ONCE
    inspect = partial(_inspect_all, durations=durations)
    with ThreadPoolExecutor(workers) as pool:
        while batch := list(islice(_without_targets(files, targets), at_once)):
            entries = list(chain.from_iterable(pool.map(inspect, _chunks(batch))))
            rows.add([entry for entry in entries if "reason" not in entry])
            rejects.add([entry for entry in entries if "reason" in entry])
            advance(len(batch))
    _check_any_readable(sources, rejects.table(), any(len(batch) for batch in rows.batches))
    table, repeated = _separate_repeated(rows.table())
    table = (_with_validation(table) if val_ratio else table).drop_columns([HASHED])
    by_split = {split: table.filter(pc.equal(table.column("split"), split)) for split in SPLITS}
    rejects.add([_reject_repeated(row) for row in repeated.to_pylist()])
    return Scan(by_split, rejects.table(), targets)


def _without_targets(files: Iterator[Found], targets: list[Path]) -> Iterator[Found]:
    """Yield what is found but folders of targets, which are added to the list."""
    for file in files:
        if file.problem and file.problem[0] == TARGET_FOLDER:
            targets.append(file.path)
        else:
            yield file


def _check_any_readable(sources: list[Source], rejects: pa.Table, some: bool) -> None:
    """Raise BadInput, naming the formats, if all that was found is of formats that are not read."""
    if some or any(reason != UNSUPPORTED for reason in rejects["reason"].to_pylist()):
        return
    where = ", ".join(str(source.path) for source in sources)
    message = f"no audio that can be read in {where}. Readable formats: {', '.join(READABLE)}."
    if others := sorted(set(map(ending, rejects["audio_path"].to_pylist()))):
        files = "1 file" if rejects.num_rows == 1 else f"{rejects.num_rows} files"
        message += (
            f" There is {files} of another format ({', '.join(others)}): convert with ffmpeg, for "
            f"example ffmpeg -i NAME{others[0]} NAME.flac."
        )
    raise BadInput(message)


def _with_validation(rows: pa.Table) -> pa.Table:
    """Give validation the rows of the lowest hash where it has none, unless train would have none.

    The lowest is the first that a larger share would take.
    """
    hashed = rows.column(HASHED)
    if pc.any(pc.equal(rows.column("split"), "val")).as_py() or hashed.null_count == len(hashed):
        return rows
    lowest = pc.fill_null(pc.equal(hashed, pc.min(hashed)), False)
    if pc.all(lowest).as_py():
        return rows
    split = pc.if_else(lowest, "val", rows.column("split"))
    return rows.set_column(rows.schema.get_field_index("split"), MANIFEST.field("split"), split)


def _chunks(files: list[Found]) -> list[list[Found]]:
    return [files[i : i + FILES_AT_ONCE] for i in range(0, len(files), FILES_AT_ONCE)]


def _inspect_all(files: list[Found], durations: Durations) -> list[dict[str, Any]]:
    return [_inspect(file, durations) for file in files]


def _inspect(file: Found, durations: Durations) -> dict[str, Any]:
    """Return a manifest row, or a rejects row, for one file."""
    row: dict[str, Any] = {
        "utterance_id": _printable(file.utterance_id),
        "split": file.split,
        "audio_path": _printable(os.path.abspath(file.path)),
    }
    if row["audio_path"] != os.path.abspath(file.path):
        return _reject_row(row, "bad_name", "the path is not valid UTF-8: rename it")
    if file.problem:
        return _reject_row(row, *file.problem)
    if file.split is None:
        return _reject_row(row, "outside_splits", "the source has split folders; this is in none")
    try:
        header = read_header(file.path)
        _check_duration(header.duration_s, durations)
        fingerprint = audio_fingerprint(file.path)
    except AudioError as error:
        return _reject_row(row, error.reason, error.detail)
    return {
        **row,
        "source_sample_rate": header.sample_rate,
        "channels": header.channels,
        "num_frames": header.num_frames,
        "duration_s": header.duration_s,
        "audio_fingerprint": fingerprint,
        "target_path": row["audio_path"] if header.sample_rate == TARGET_RATE else None,
        HASHED: file.hashed,
    }


def _check_duration(seconds: float, wanted: Durations) -> None:
    if seconds < wanted.shortest:
        detail = f"{seconds:.3f} s, shorter than --min-duration {wanted.shortest:g}"
        raise AudioError("too_short", detail)
    if wanted.longest is not None and seconds > wanted.longest:
        detail = f"{seconds:.3f} s, longer than --max-duration {wanted.longest:g}"
        raise AudioError("too_long", detail)


def _separate_repeated(rows: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the first row of each id, and the rows whose id came before; both in order."""
    if pc.count_distinct(rows.column("utterance_id")).as_py() == rows.num_rows:
        return rows, rows.slice(0, 0)
    positions = pa.array(range(rows.num_rows))
    first = rows.append_column("position", positions).group_by("utterance_id")
    is_first = pc.is_in(positions, first.aggregate([("position", "min")]).column("position_min"))
    return rows.filter(is_first), rows.filter(pc.invert(is_first))


def _reject_repeated(row: dict[str, Any]) -> dict[str, Any]:
    return _reject_row(
        row,
        "duplicate_id",
        "another file has the same id, such as one that differs in its ending alone",
    )


def _reject_row(row: dict[str, Any], reason: str, detail: str) -> dict[str, Any]:
    place = {name: row[name] for name in ("utterance_id", "split", "audio_path")}
    return {**place, "stage": "manifest", "reason": reason, "detail": detail}


def _printable(text: str) -> str:
    """Return text that can be stored: bytes of a name that are not UTF-8 become escapes."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _total(table: pa.Table, column: str) -> float:
    return pc.sum(table.column(column)).as_py() or 0.0
