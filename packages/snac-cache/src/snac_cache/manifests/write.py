"""Writing the manifests of a folder."""

from pathlib import Path

import pyarrow as pa

from snac_cache.parquet import write_table
from snac_cache.schema import REJECTS


def write_manifest(rows: dict[str, pa.Table], rejects: pa.Table, folder: Path) -> None:
    """Write ``train.parquet``, ``val.parquet`` and ``rejects.parquet``."""
    for split, table in rows.items():
        write_table(table, folder / f"{split}.parquet")
    write_table(rejects.cast(REJECTS), folder / "rejects.parquet")
