"""The reader of cached codes that training and evaluation use."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snac_cache.schema import code_column
from snac_cache.store.identity import CacheIdentity
from snac_cache.store.mapped import open_mapped
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
    """A split of cached codes, of any size: rows by index or id, codes as zero-copy slices.

    Opening reads the parts' footers alone. A part is mapped into memory when a row of it is first
    asked for; see ``mapped``. May be used in forked and in spawned workers.

    Args:
        folder: holds the split's ``part-*.parquet`` files, such as ``artifacts/codes/train``.

    Raises:
        Failure: if there are no parts, or their models differ.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = sorted(folder.glob("part-*.parquet"))
        if not self._files:
            raise Failure(f"no cached codes in {folder}. Run snac-cache, or give --codes DIR.")
        self.identity, lengths = _read_footers(self._files)
        self.geometry: Geometry = self.identity.codec_geometry()
        self._ends = list(accumulate(lengths))
        self._parts: dict[int, _Part] = {}

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> CachedUtterance:
        part, row = self._locate(index)
        return part.utterance(row)

    def __iter__(self) -> Iterator[CachedUtterance]:
        return (self[index] for index in range(len(self)))

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind what another process makes for itself: mapped parts, and its own hashes."""
        state = {**self.__dict__, "_parts": {}}
        state.pop("_index_by_hash", None)
        return state

    def column(self, name: str) -> pa.ChunkedArray:
        """Return one column of all rows, read from the parts without their codes."""
        tables = [pq.read_table(file, columns=[name]) for file in self._files]
        return pa.concat_tables(tables).column(name)

    def index_of(self, utterance_id: str) -> int:
        """Return the index of an utterance; raises KeyError if the split does not hold it."""
        hashes, order = self._index_by_hash
        wanted = hash(utterance_id)
        first, last = np.searchsorted(hashes, wanted), np.searchsorted(hashes, wanted, "right")
        for index in order[first:last]:
            if self[int(index)].utterance_id == utterance_id:
                return int(index)
        raise KeyError(utterance_id)

    def with_target(self) -> list[int]:
        """Return the indices of the utterances that have a 48 kHz target, in order."""
        present = self.column("target_path").is_valid().to_numpy()
        return np.flatnonzero(present).tolist()

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
    def _index_by_hash(self) -> tuple[np.ndarray, np.ndarray]:
        """Hashes of all ids in order, and whose they are: 16 bytes a row instead of a dict."""
        ids = (chunk.to_pylist() for chunk in self.column("utterance_id").chunks)
        hashes = np.fromiter((hash(name) for chunk in ids for name in chunk), np.int64, len(self))
        order = np.argsort(hashes, kind="stable")
        return hashes[order], order

    def _locate(self, index: int) -> tuple["_Part", int]:
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)} in {self.folder}")
        number = bisect_right(self._ends, index)
        if number not in self._parts:
            table = open_mapped(self._files[number])
            self._parts[number] = _Part(table, self.geometry.levels)
        return self._parts[number], index - (self._ends[number - 1] if number else 0)


def _read_footers(files: list[Path]) -> tuple[CacheIdentity, list[int]]:
    """Read the rows of each part, and what they were made with, which must be one and the same."""
    identities: dict[bytes, CacheIdentity] = {}
    lengths = []
    for file in files:
        metadata, rows = _read_footer(file)
        lengths.append(rows)
        identity_text = b"".join(metadata.get(key, b"") for key in CacheIdentity.metadata_keys())
        if identity_text not in identities:
            identities[identity_text] = _identity(metadata, file)
    first, *others = identities.values()
    for other in others:
        if differences := first.differences(other):
            raise Failure(f"the parts in {files[0].parent} are not one cache: {differences}")
    return first, lengths


def _read_footer(file: Path) -> tuple[dict[bytes, bytes], int]:
    try:
        footer = pq.read_metadata(file)
    except (OSError, pa.ArrowException) as error:
        raise Failure(f"{file} is damaged: {error}. Run snac-cache again.") from error
    return footer.metadata or {}, footer.num_rows


def _identity(metadata: dict[bytes, bytes], file: Path) -> CacheIdentity:
    try:
        return CacheIdentity.from_metadata(metadata)
    except (KeyError, ValueError) as error:
        raise Failure(f"{file} is no part of a code cache: it lacks {error}") from error


class _Part:
    """One part in mapped memory."""

    def __init__(self, table: pa.Table, levels: int) -> None:
        names = [field.name for field in fields(CachedUtterance)]
        self._rows = table.select(names).combine_chunks()
        self._codes = []
        for level in range(levels):
            (lists,) = table.column(code_column(level)).chunks  # combining would copy even one
            self._codes.append((lists.offsets.to_numpy(), lists.values.to_numpy()))

    def utterance(self, row: int) -> CachedUtterance:
        return CachedUtterance(**self._rows.slice(row, 1).to_pylist()[0])

    def tokens(self, level: int, row: int) -> np.ndarray:
        offsets, values = self._codes[level]
        return values[offsets[row] : offsets[row + 1]]
