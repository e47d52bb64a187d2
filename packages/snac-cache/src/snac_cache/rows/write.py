"""Shards of rows, and the ledger of what is in none."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from snac_cache.parquet import COMPRESSION
from snac_cache.schema import REJECTS

REJECTS_FILE = "rejects.parquet"
SHARD_BYTES = 2**29  # of rows in memory; on the disk it is about a third


class Shards:
    """The files of a split; a new one is begun when one is large enough.

    Args:
        folder: that they go into; it appears with the first row.
    """

    def __init__(self, folder: Path, columns: pa.Schema) -> None:
        self.folder = folder
        self.columns = columns
        self.rows = 0
        self._count = 0
        self._bytes = 0
        self._writer: pq.ParquetWriter | None = None

    def write(self, rows: pa.Table) -> None:
        """Add rows, as one row group."""
        if not rows.num_rows:
            return
        if self._writer is None:
            self.folder.mkdir(exist_ok=True)
            path = self.folder / f"part-{self._count:05d}.parquet"
            self._writer = pq.ParquetWriter(
                path, self.columns, compression=COMPRESSION, write_page_checksum=True
            )
            self._count += 1
        self._writer.write_table(rows)
        self.rows += rows.num_rows
        self._bytes += rows.nbytes
        if self._bytes >= SHARD_BYTES:
            self.close()

    def close(self) -> None:
        """End the file that is being written."""
        if self._writer is not None:
            self._writer.close()
        self._writer, self._bytes = None, 0


class Ledger:
    """What was left out, as ``rejects.parquet`` in a folder; no file if nothing was.

    Args:
        folder: of the rows.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / REJECTS_FILE
        self._writer: pq.ParquetWriter | None = None

    def write(self, rows: pa.Table, split: str, reason: str, details: Sequence[str]) -> None:
        """Add utterances.

        Args:
            rows: with their ``utterance_id`` and ``audio_path``.
            reason: a short code.
            details: why, of each.
        """
        if self._writer is None:
            self._writer = pq.ParquetWriter(self.path, REJECTS, compression=COMPRESSION)
        count = rows.num_rows
        columns = {
            "utterance_id": rows.column("utterance_id"),
            "split": pa.repeat(split, count),
            "audio_path": rows.column("audio_path"),
            "stage": pa.repeat("tokens", count),
            "reason": pa.repeat(reason, count),
            "detail": pa.array(details, pa.string()),
        }
        self._writer.write_table(pa.table(columns).cast(REJECTS))

    def close(self) -> None:
        """End the file."""
        if self._writer is not None:
            self._writer.close()
