"""Parquet files as this package writes and reads them: whole, with a checksum on every page."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from snac_common.errors import Failure
from snac_common.files import atomic_path

COMPRESSION = "zstd"


def write_table(table: pa.Table, path: Path) -> None:
    """Write one parquet file, atomically."""
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression=COMPRESSION, write_page_checksum=True)


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Read one parquet file, its checksums verified.

    Raises:
        OSError, pa.ArrowException: if it cannot be read to its last byte.
        MemoryError: if there is too little memory, which says nothing about the file.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            return file.read(columns)
    except pa.ArrowMemoryError as error:
        raise MemoryError(f"no memory to read {path}") from error


def rows_sha256(table: pa.Table, columns: Sequence[str]) -> str:
    """Hash what some columns hold, text and whole numbers, however the table is cut into chunks.

    Over plain lengths, bytes and 64-bit numbers: the same for any version of any library.
    """
    digest = hashlib.sha256()
    for name in columns:
        column = table.column(name).combine_chunks()
        digest.update(f"{name} {len(column)}\n".encode())
        digest.update(column.is_valid().to_numpy(zero_copy_only=False).tobytes())
        if pa.types.is_integer(column.type):
            numbers = column.cast(pa.int64()).fill_null(0)
            digest.update(numbers.to_numpy(zero_copy_only=False).tobytes())
        else:
            _add_texts(digest, column.cast(pa.large_string()).fill_null(""))
    return digest.hexdigest()


def _add_texts(digest: "hashlib._Hash", texts: pa.Array) -> None:
    digest.update(pc.binary_length(texts).to_numpy(zero_copy_only=False).tobytes())
    _, offsets, data = texts.buffers()
    if data is not None:
        ends = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
        digest.update(memoryview(data)[int(ends[0]) : int(ends[-1])])


MADE_ANEW = "Run snac-cache --verify, which makes it anew."  # of a damaged part of a cache


def damaged(path: Path, error: Exception, advice: str) -> Failure:
    """Return what to tell a person about a file that cannot be read."""
    return Failure(f"{path} is damaged: {error}. {advice}")
