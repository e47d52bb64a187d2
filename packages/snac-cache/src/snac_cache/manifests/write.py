"""Writing the manifests of a folder."""

from pathlib import Path

import pyarrow as pa

from snac_cache.manifests.shards import write_split
from snac_cache.parquet import write_table
from snac_cache.schema import REJECTS


def write_manifest(rows: dict[str, pa.Table], rejects: pa.Table, folder: Path) -> None:
    """Write ``train`` and ``val``, each one file or shards, and ``rejects.parquet``."""
    for split, table in rows.items():
        write_split(table, folder, split)
    write_table(rejects.cast(REJECTS), folder / "rejects.parquet")
