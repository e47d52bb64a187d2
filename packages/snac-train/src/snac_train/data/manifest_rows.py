"""Utterances of a manifest, for training that encodes them itself."""

from typing import Any

import numpy as np
import pyarrow as pa

from snac_cache.manifests.where import rows_where
from snac_cache.store.code_store import STATED, CachedUtterance
from snac_model.shapes.geometry import Geometry


class ManifestRows:
    """A split of a manifest: rows as the CodeStore gives them, without codes."""

    def __init__(self, table: pa.Table, geometry: Geometry) -> None:
        self.table = table
        self._stated = table.select(STATED)
        self.geometry = geometry

    def __len__(self) -> int:
        return self.table.num_rows

    def __getitem__(self, row: int) -> CachedUtterance:
        fields: dict[str, Any] = self._stated.slice(row, 1).to_pylist()[0]
        samples = self.geometry.samples_from(fields["source_sample_rate"], fields["num_frames"])
        return CachedUtterance(**fields, num_samples=samples)

    def column(self, name: str) -> pa.ChunkedArray:
        """Return a column of all rows."""
        return self.table.column(name)

    def where(self, condition: str, said_by: str) -> np.ndarray:
        """Return the rows that an SQL condition is true for, as ``rows_where`` does."""
        return rows_where(self.table, condition, said_by)

    def with_target(self) -> np.ndarray:
        """Return the rows that have a 48 kHz target, in order: int64."""
        return np.flatnonzero(self.table.column("target_path").is_valid().to_numpy())
