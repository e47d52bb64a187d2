"""The reader of cached codes that training and evaluation use."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snac_cache.identity import CacheIdentity
from snac_cache.schema import MANIFEST, code_column
from snac_model.errors import Failure
from snac_model.geometry import Geometry


@dataclass(frozen=True)
class CachedUtterance:
    """One row of the cache without its codes: the manifest's columns and the length.

    ``num_samples`` counts samples at the codec's rate, before padding.
    """

    utterance_id: str
    split: str
    audio_path: str
    source_sample_rate: int
    channels: int
    num_frames: int
    duration_s: float
    target_path: str | None
    bandwidth_hz: float | None
    target_lag_samples: int | None
    target_gain_db: float | None
    num_samples: int


class CodeStore:
    """A split of cached codes: rows by index or id, codes as zero-copy slices.

    Args:
        folder: holds the split's ``part-*.parquet`` files, such as ``artifacts/codes/train``.

    Raises:
        Failure: if there are no parts, or their models differ.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        files = sorted(folder.glob("part-*.parquet"))
        if not files:
            raise Failure(f"no cached codes in {folder}. Run snac-cache, or give --codes DIR.")
        self.identity = self._read_identity(files)
        self.geometry: Geometry = self.identity.codec_geometry()
        self._parts = [_Part(pq.read_table(file), self.geometry.levels) for file in files]
        self._ends = list(accumulate(len(part) for part in self._parts))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> CachedUtterance:
        part, row = self._locate(index)
        return part.utterance(row)

    def __iter__(self) -> Iterator[CachedUtterance]:
        return (self[index] for index in range(len(self)))

    def index_of(self, utterance_id: str) -> int:
        """Return the index of an utterance; raises KeyError if the split does not hold it."""
        return self._index_by_id[utterance_id]

    def coarse_tokens(self, index: int) -> int:
        """Return the number of coarse tokens of an utterance."""
        part, row = self._locate(index)
        return len(part.tokens(0, row))

    def codes(self, index: int, start: int = 0, length: int | None = None) -> list[np.ndarray]:
        """Return codes of ``length`` coarse tokens from coarse token ``start``, default all.

        Returns:
            One read-only uint16 array ``[tokens]`` a level, coarsest first; no copies.

        Raises:
            IndexError: if the utterance has no such tokens.
        """
        part, row = self._locate(index)
        available = len(part.tokens(0, row))
        length = available - start if length is None else length
        if start < 0 or length < 0 or start + length > available:
            raise IndexError(f"coarse tokens {start}+{length} of {available} in row {index}")
        return [
            part.tokens(level, row)[self.geometry.token_span(level, start, length)]
            for level in range(self.geometry.levels)
        ]

    @cached_property
    def _index_by_id(self) -> dict[str, int]:
        return {utterance.utterance_id: index for index, utterance in enumerate(self)}

    def _locate(self, index: int) -> tuple["_Part", int]:
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)} in {self.folder}")
        number = bisect_right(self._ends, index)
        return self._parts[number], index - (self._ends[number - 1] if number else 0)

    @staticmethod
    def _read_identity(files: list[Path]) -> CacheIdentity:
        """Read what the parts were made with, which must be one and the same."""
        first: CacheIdentity | None = None
        for file in files:
            try:
                identity = CacheIdentity.from_metadata(pq.read_schema(file).metadata or {})
            except (KeyError, ValueError, OSError, pa.ArrowException) as error:
                raise Failure(f"{file} is not a part of a code cache: {error}") from error
            first = first or identity
            if differences := first.differences(identity):
                raise Failure(f"{files[0]} and {file} are not one cache: {'; '.join(differences)}")
        assert first is not None
        return first


class _Part:
    """One parquet file in memory."""

    def __init__(self, table: pa.Table, levels: int) -> None:
        self._rows = table.select([*MANIFEST.names, "num_samples"]).combine_chunks()
        self._codes = []
        for level in range(levels):
            lists = table.column(code_column(level)).combine_chunks()
            self._codes.append((lists.offsets.to_numpy(), lists.values.to_numpy()))

    def __len__(self) -> int:
        return self._rows.num_rows

    def utterance(self, row: int) -> CachedUtterance:
        return CachedUtterance(**self._rows.slice(row, 1).to_pylist()[0])

    def tokens(self, level: int, row: int) -> np.ndarray:
        offsets, values = self._codes[level]
        return values[offsets[row] : offsets[row + 1]]
