"""The reader of cached codes that training and evaluation use."""

from bisect import bisect_right
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from snac_cache.manifests.where import rows_where
from snac_cache.parquet import MADE_ANEW, damaged
from snac_cache.schema import code_column
from snac_cache.store.earlier import no_codes
from snac_cache.store.identity import CacheIdentity
from snac_cache.store.mapped import open_mapped
from snac_cache.store.parts import READING_THREADS
from snac_cache.store.resolve import open_manifest, open_matches
from snac_cache.work import plan_file
from snac_cache.work.plan import part_files
from snac_common.artifacts import SPLITS
from snac_common.errors import Failure
from snac_model.shapes.geometry import Geometry


@dataclass(frozen=True)
class CachedUtterance:
    """What is known of a cached utterance without its codes.

    All but ``num_samples`` is what the manifest says now; that counts samples at the codec's rate,
    before padding.
    """

    utterance_id: str
    split: str
    audio_path: str
    source_sample_rate: int
    channels: int | None
    num_frames: int
    audio_fingerprint: str | None
    target_path: str | None
    bandwidth_hz: float | None
    num_samples: int


STATED = [field.name for field in fields(CachedUtterance) if field.name != "num_samples"]


class CodeStore:
    """The cached utterances of a split, however many: rows by index or id, codes without copies.

    Codes lie where they were cached; what a manifest says of an utterance, its split among it, is
    taken from the manifest as it is now, by id. Utterances that the manifest does not have are left
    out and counted (``unlisted``), and so are those that are planned and not encoded yet
    (``not_encoded``). Opening reads footers, and the ids only when codes or manifest
    have changed since the last time; a part is mapped into memory when a row of it is first asked
    for (see ``mapped``). May be used in forked and in spawned workers.

    Args:
        codes: holds ``train/`` and ``val/`` with their parts, such as ``artifacts/codes``.
        split: ``train`` or ``val``.
        manifest: folder or file; by default the manifest as it was when the codes were made.

    Raises:
        Failure: if there are no parts or no manifest, the parts' models differ, or audio was
            replaced since it was encoded.
    """

    def __init__(self, codes: str | Path, split: str, manifest: str | Path | None = None) -> None:
        self.folder = codes = Path(codes)
        self.split = split
        self.manifest = Path(manifest) if manifest else codes / plan_file.FOLDER
        self.files = [file for name in SPLITS for file in part_files(codes / name)]
        if not self.files:
            raise no_codes(codes)
        self.identity, lengths = _read_footers(self.files)
        self.geometry: Geometry = self.identity.codec_geometry()
        self.not_encoded = _rows_left(codes, self.files)
        self._ends = list(accumulate(lengths))
        self._open_rows()

    def _open_rows(self) -> None:
        self._parts: dict[int, _Part] = {}
        self._said = open_manifest(self.manifest)
        matches = open_matches(self.folder, self.files, self.manifest)
        self.unlisted = self._ends[-1] - len(matches)
        of_train = len(matches) - (pc.sum(matches["val"]).as_py() or 0)
        is_train = self.split == SPLITS[0]
        matches = matches.slice(0, of_train) if is_train else matches.slice(of_train)
        self._positions = matches["position"].to_numpy()
        self._manifest_rows = matches["manifest_row"].to_numpy()
        changed = np.flatnonzero(matches["changed"].to_numpy(zero_copy_only=False))
        if len(changed):
            utterance = self[int(changed[0])]
            raise Failure(
                f"the audio of {len(changed)} utterances, such as {utterance.utterance_id!r} "
                f"({utterance.audio_path}), was replaced since it was encoded into {self.folder}. "
                "Run snac-cache again: it encodes the parts that hold them anew."
            )

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, index: int) -> CachedUtterance:
        part, row = self._locate(index)
        said = self._said.slice(int(self._manifest_rows[index]), 1).select(STATED).to_pylist()[0]
        return CachedUtterance(**said, num_samples=part.num_samples(row))

    def __iter__(self) -> Iterator[CachedUtterance]:
        return (self[index] for index in range(len(self)))

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind what another process maps for itself."""
        mapped = ("_parts", "_said", "_positions", "_manifest_rows")
        return {name: value for name, value in self.__dict__.items() if name not in mapped}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Map anew what was left behind."""
        self.__dict__.update(state)
        self._open_rows()

    @property
    def manifest_rows(self) -> np.ndarray:
        """Which row of the manifest each row is: int64."""
        return self._manifest_rows

    def where(self, condition: str, said_by: str) -> np.ndarray:
        """Return the rows that an SQL condition on the manifest is true for: int64, ascending.

        Raises:
            BadInput: as ``rows_where`` does.
        """
        return np.flatnonzero(
            np.isin(self._manifest_rows, rows_where(self._said, condition, said_by))
        )

    def located(self) -> Iterator[tuple[Path, np.ndarray, np.ndarray]]:
        """Yield the file of each part with rows, their places in it, and their indices: int64."""
        for number, file in enumerate(self.files):
            start = self._ends[number - 1] if number else 0
            first, last = np.searchsorted(self._positions, [start, self._ends[number]])
            if first < last:
                yield file, self._positions[first:last] - start, np.arange(first, last)

    def column(self, name: str) -> pa.ChunkedArray:
        """Return a column of the manifest, the user's own too, for all rows in order."""
        return self._said.column(name).take(self._manifest_rows)

    def index_of(self, utterance_id: str) -> int:
        """Return the index of an utterance; raises KeyError if the split does not hold it."""
        row = pc.index(self._said.column("utterance_id"), utterance_id).as_py()
        (found,) = np.nonzero(self._manifest_rows == row)
        if row < 0 or not len(found):
            raise KeyError(utterance_id)
        return int(found[0])

    def with_target(self) -> np.ndarray:
        """Return the indices of the utterances that have a 48 kHz target, in order: int64."""
        present = self._said.column("target_path").is_valid().to_numpy()
        return np.flatnonzero(present[self._manifest_rows])

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

    def _locate(self, index: int) -> tuple["_Part", int]:
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)} in {self.folder}, {self.split}")
        position = int(self._positions[index])
        number = bisect_right(self._ends, position)
        if number not in self._parts:
            table = open_mapped(self.files[number])
            self._parts[number] = _Part(table, self.geometry.levels)
        return self._parts[number], position - (self._ends[number - 1] if number else 0)


def _read_footers(files: list[Path]) -> tuple[CacheIdentity, list[int]]:
    """Read the rows of each part, and what they were made with, which must be one and the same."""
    identities: dict[bytes, CacheIdentity] = {}
    keys, lengths = CacheIdentity.metadata_keys(), []
    with ThreadPoolExecutor(READING_THREADS) as pool:  # each waits for a disk or a server
        for file, (metadata, rows) in zip(files, pool.map(_read_footer, files), strict=True):
            lengths.append(rows)
            identity_text = b"".join(metadata.get(key, b"") for key in keys)
            if identity_text not in identities:
                identities[identity_text] = _identity(metadata, file)
    first, *others = identities.values()
    for other in others:
        if differences := first.differences(other):
            raise Failure(
                f"the parts in {files[0].parent} are not one cache: {differences}. Give each cache "
                "a folder of its own, or encode all again with snac-cache --overwrite."
            )
    return first, lengths


def _rows_left(codes: Path, files: list[Path]) -> int:
    """Count the rows of planned parts that are not there, as after a command that was killed."""
    try:
        plan = plan_file.Plan.read(codes / plan_file.FOLDER)
    except Failure:  # snac-check says so; who has a manifest needs no plan
        return 0
    there = {(file.parent.name, file.name) for file in files}
    parts = plan.parts if plan else []
    return sum(part.rows for part in parts if (part.split, part.name) not in there)


def not_encoded_yet(rows: int) -> str:
    """Return what to tell a person of rows that are planned and not encoded."""
    return (
        f"warning: {rows:,} utterances of the cache are not encoded yet, so they are left out. Run "
        "snac-cache again to encode them."
    )


def _read_footer(file: Path) -> tuple[dict[bytes, bytes], int]:
    try:
        footer = pq.read_metadata(file)
    except (OSError, pa.ArrowException) as error:
        raise damaged(file, error, MADE_ANEW) from error
    return footer.metadata or {}, footer.num_rows


def _identity(metadata: dict[bytes, bytes], file: Path) -> CacheIdentity:
    try:
        identity = CacheIdentity.from_metadata(metadata)
    except (KeyError, ValueError) as error:
        raise Failure(f"{file} is no part of a code cache: it lacks {error}") from error
    identity.check_version(file)
    return identity


class _Part:
    """One part in mapped memory."""

    def __init__(self, table: pa.Table, levels: int) -> None:
        (samples,) = table.column("num_samples").chunks
        self._num_samples = samples.to_numpy()
        self._codes = []
        for level in range(levels):
            (lists,) = table.column(code_column(level)).chunks  # combining would copy even one
            self._codes.append((lists.offsets.to_numpy(), lists.values.to_numpy()))

    def num_samples(self, row: int) -> int:
        return int(self._num_samples[row])

    def tokens(self, level: int, row: int) -> np.ndarray:
        offsets, values = self._codes[level]
        return values[offsets[row] : offsets[row + 1]]
