"""From sources of audio to manifest rows: header scans, splits, rejects."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from snac_cache.manifests.find import TARGET_FOLDER, Found
from snac_cache.manifests.formats import READABLE, UNSUPPORTED, ending
from snac_cache.manifests.sources import Source
from snac_cache.manifests.splits import Grouping
from snac_cache.schema import MANIFEST, REJECTS
from snac_cache.sources.columns import Columns
from snac_cache.sources.find_all import find_all
from snac_cache.sources.inspect import HASHED, KEPT, Durations, inspect_all, reject_row
from snac_cache.sources.kept_columns import KeptColumns
from snac_common.artifacts import SPLITS
from snac_common.errors import BadInput

FILES_AT_ONCE = 64  # that a thread takes: a header is too little to hand over alone
CHUNKS_A_THREAD = 8
SCANNED = MANIFEST.append(pa.field(HASHED, pa.float64()))


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
    form: str | None = None,
    columns: Columns | None = None,
) -> Scan:
    """Read the header of every audio file in the sources.

    Rows come in the order of the sources' paths, rows and members, whatever the number of workers.
    ``advance`` is told of utterances as they are done; for the rest see ``find_all``. Where the
    hashes leave nothing for validation, the file or group of the lowest hash is, unless
    ``val_ratio`` is 0.

    Raises:
        BadInput: if the sources hold no audio that can be read, or are not of the form.
        Failure: if a folder cannot be listed.
    """
    rows, rejects, kept = _Collector(SCANNED), _Collector(REJECTS), KeptColumns()
    targets: list[Path] = []
    files = find_all(
        sources, form, columns or Columns(), val_ratio, grouping, with_targets=with_targets
    )
    at_once = workers * CHUNKS_A_THREAD * FILES_AT_ONCE
    inspect = partial(inspect_all, durations=durations)
    with ThreadPoolExecutor(workers) as pool:
        while batch := list(islice(_without_targets(files, targets), at_once)):
            entries = list(chain.from_iterable(pool.map(inspect, _chunks(batch))))
            good = [entry for entry in entries if "reason" not in entry]
            kept.add([entry.pop(KEPT) for entry in good])
            rows.add(good)
            rejects.add([entry for entry in entries if "reason" in entry])
            advance(len(batch))
    _check_any_readable(sources, rejects.table(), any(len(batch) for batch in rows.batches))
    table, repeated = _separate_repeated(_beside(rows.table(), kept.table()))
    table = (_with_validation(table) if val_ratio else table).drop_columns([HASHED])
    by_split = {split: table.filter(pc.equal(table.column("split"), split)) for split in SPLITS}
    rejects.add([_reject_repeated(row) for row in repeated.to_pylist()])
    return Scan(by_split, rejects.table(), targets)


def _beside(rows: pa.Table, kept: pa.Table) -> pa.Table:
    for field_, column in zip(kept.schema, kept.columns, strict=True):
        rows = rows.append_column(field_, column)
    return rows


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


def _separate_repeated(rows: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the first row of each id, and the rows whose id came before; both in order."""
    if pc.count_distinct(rows.column("utterance_id")).as_py() == rows.num_rows:
        return rows, rows.slice(0, 0)
    positions = pa.array(range(rows.num_rows))
    first = rows.append_column("position", positions).group_by("utterance_id")
    is_first = pc.is_in(positions, first.aggregate([("position", "min")]).column("position_min"))
    return rows.filter(is_first), rows.filter(pc.invert(is_first))


def _reject_repeated(row: dict[str, Any]) -> dict[str, Any]:
    return reject_row(
        row,
        "duplicate_id",
        "another file has the same id, such as one that differs in its ending alone",
    )


def _total(table: pa.Table, column: str) -> float:
    return pc.sum(table.column(column)).as_py() or 0.0
