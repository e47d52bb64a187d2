"""The plan of a folder's work: the manifest's rows in the order of the parts, kept on disk.

One parquet file a split, one row group a part. So workers need only be told *which* part to do:
they read its rows from here, and what a process is sent does not grow with the corpus. And what a
part was made of stays known when the manifest has changed since.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from snac_cache.parquet import COMPRESSION, rows_sha256
from snac_cache.work.plan import Part
from snac_cache.work.planned_rows import PlannedRows
from snac_common.artifacts import SPLITS
from snac_common.errors import Failure
from snac_common.files import atomic_path

PARTS_KEY = b"snac.plan"
FOLDER = "plan"


@dataclass
class Plan:
    """The parts of a folder's work, and their rows.

    Attributes:
        folder: holds ``{split}.parquet``.
        parts: in order, those of train first.
    """

    folder: Path
    parts: list[Part]
    _files: dict[str, pq.ParquetFile] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Read which parts there are; None where there is no plan.

        Raises:
            Failure: if the plan is damaged.
        """
        parts: list[Part] = []
        for split in SPLITS:
            path = folder / f"{split}.parquet"
            if path.exists():
                parts += _read_parts(path, split)
        return cls(folder, parts) if parts else None

    def rows(self, part: Part, columns: list[str] | None = None) -> pa.Table:
        """Read a part's rows, their checksums verified; raises Failure if they are damaged."""
        path = self.folder / f"{part.split}.parquet"
        try:
            if part.split not in self._files:
                self._files[part.split] = pq.ParquetFile(path, page_checksum_verification=True)
            return self._files[part.split].read_row_group(part.number, columns)
        except (OSError, pa.ArrowException) as error:
            raise _damaged(path, error) from error

    def of_split(self, split: str) -> list[Part]:
        """Return the parts of a split, in order."""
        return [part for part in self.parts if part.split == split]

    def table(self, split: str, columns: list[str] | None = None) -> pa.Table:
        """Read all rows of a split, in order; raises Failure if they are damaged."""
        path = self.folder / f"{split}.parquet"
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                return file.read(columns)
        except (OSError, pa.ArrowException) as error:
            raise _damaged(path, error) from error

    def __getstate__(self) -> dict[str, object]:
        """Leave behind what a worker does not need: the list of parts, and open files."""
        return {"folder": self.folder, "parts": [], "_files": {}}


def write_plan(folder: Path, rows: PlannedRows, decisive: Sequence[str]) -> Plan:
    """Write the plan of each split, atomically.

    Args:
        rows: of each split, and how many of them each part has.
        decisive: the columns that decide the result of the work on a row.
    """
    planned: list[Part] = []
    for split, (table, sizes) in rows.items():
        planned += _write_split(folder / f"{split}.parquet", split, table, sizes, decisive)
    return Plan(folder, planned)


def _write_split(
    path: Path, split: str, table: pa.Table, sizes: list[int], decisive: Sequence[str]
) -> list[Part]:
    parts: list[Part] = []
    start = 0
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(
            temporary, table.schema, compression=COMPRESSION, write_page_checksum=True
        ) as writer,
    ):
        for number, size in enumerate(sizes):
            rows = table.slice(start, size)
            start += size
            writer.write_table(rows, row_group_size=max(size, 1))  # a part may be empty
            parts.append(Part(split, number, size, rows_sha256(rows, decisive)))
        hashes = json.dumps([part.sha256 for part in parts])
        writer.add_key_value_metadata({PARTS_KEY.decode(): hashes})
    return parts


def _read_parts(path: Path, split: str) -> list[Part]:
    try:
        footer = pq.read_metadata(path)
        hashes = json.loads((footer.metadata or {})[PARTS_KEY])
        groups = range(footer.num_row_groups)
        sizes = [footer.row_group(number).num_rows for number in groups]
        return [
            Part(split, number, rows, str(sha256))
            for number, (rows, sha256) in enumerate(zip(sizes, hashes, strict=True))
        ]
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> Failure:
    if isinstance(error, MemoryError):  # Arrow's is an ArrowException too
        raise error
    return Failure(
        f"{path}, the plan of this folder's work, cannot be read: {error!r}. Give --overwrite to "
        "start anew."
    )
