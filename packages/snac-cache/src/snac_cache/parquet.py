"""Parquet files as this package writes them, whole or absent, with a checksum on every page."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from snac_model.files import atomic_path


def write_table(table: pa.Table, path: Path) -> None:
    """Write one parquet file, atomically."""
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def table_sha256(table: pa.Table) -> str:
    """Hash a table's content, however it is cut into chunks."""
    digest = hashlib.sha256()
    for batch in table.combine_chunks().to_batches(max_chunksize=65536):
        digest.update(batch.serialize())
    return digest.hexdigest()
