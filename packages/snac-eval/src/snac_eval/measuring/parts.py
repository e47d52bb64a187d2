"""What an evaluation has measured so far: a part for every few utterances.

A part is two files: the rows of its utterances, and the frames that measures of the whole set are
computed of in the end. Each says what it was measured of and with. A part that says otherwise than
what is asked for now, or that is damaged, is measured again.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from snac_cache.store.code_store import CachedUtterance, CodeStore
from snac_common.files import atomic_path
from snac_eval.measuring.measure import Measured
from snac_eval.measuring.metrics_file import SCHEMA, as_table
from snac_eval.metrics.frames import SCHEMA as FRAMES
from snac_eval.metrics.frames import Frames, frames_table, read_frames
from snac_model.audio.locators import file_of

KEY = b"snac.measured"
FEWEST, MOST, PARTS = 2, 64, 256  # utterances in a part, and how many parts there should be


@dataclass(frozen=True)
class Parts:
    """The parts of one evaluation, in order.

    Attributes:
        folder: where they are until all are there.
        asked: what decides the values, besides the utterances.
        indices: of the utterances, in the store.
    """

    folder: Path
    asked: str
    indices: Sequence[int]

    @property
    def count(self) -> int:
        """How many parts there are."""
        return -(-len(self.indices) // self._size)

    @property
    def _size(self) -> int:
        """Utterances in a part: it depends on nothing but their number in all."""
        return max(FEWEST, min(MOST, len(self.indices) // PARTS))

    def utterances(self, number: int) -> Sequence[int]:
        """Return the indices of a part's utterances."""
        return self.indices[number * self._size : (number + 1) * self._size]

    def path(self, number: int) -> Path:
        """Return the file of a part."""
        return self.folder / f"part-{number:05}.parquet"

    def key(self, number: int, store: CodeStore) -> str:
        """Return what a part must say that it was measured of and with."""
        digest = hashlib.sha256(self.asked.encode())
        for index in self.utterances(number):
            utterance = store[index]
            codes = (utterance.utterance_id, utterance.num_samples, utterance.audio_fingerprint)
            digest.update(json.dumps([codes, _state(utterance)]).encode())
        return digest.hexdigest()

    def frames_path(self, number: int) -> Path:
        """Return the file of a part's frames."""
        return self.folder / f"frames-{number:05}.parquet"

    def write(self, number: int, key: str, measured: Measured) -> None:
        """Write a part, each file atomically; ``key`` is what it was when measuring began."""
        _write(frames_table(measured.frames), key, self.frames_path(number))
        _write(as_table(measured.rows), key, self.path(number))

    def read(self, number: int) -> pa.Table:
        """Read a part's rows, checksums verified; raises OSError or pa.ArrowException."""
        return _read(self.path(number), SCHEMA)

    def read_frames(self, number: int) -> list[Frames]:
        """Read a part's frames, checksums verified; raises OSError or pa.ArrowException."""
        return read_frames(_read(self.frames_path(number), FRAMES))

    def is_finished(self, number: int, store: CodeStore) -> bool:
        """Say whether a part is there, whole, and what is asked for now."""
        try:
            key = self.key(number, store)
            if {_said(self.path(number)), _said(self.frames_path(number))} != {key}:
                return False
            self.read(number)
            self.read_frames(number)
        except (OSError, ValueError, pa.ArrowException):
            return False
        return True


def _write(table: pa.Table, key: str, path: Path) -> None:
    with atomic_path(path) as temporary:
        table = table.replace_schema_metadata({KEY: key})
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def _read(path: Path, schema: pa.Schema) -> pa.Table:
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        table = file.read().replace_schema_metadata(None).cast(schema)
        if len(table) != file.metadata.num_rows:  # a page's header has no checksum
            raise OSError("rows are missing")
        return table


def _said(path: Path) -> str:
    """Return what a file says that it was measured of and with."""
    return (pq.read_schema(path).metadata or {}).get(KEY, b"").decode()


def _state(utterance: CachedUtterance) -> tuple[str, int | None, int | None]:
    """Return where an utterance's reference is, its size and when it was written."""
    path = utterance.target_path or utterance.audio_path
    try:
        found = os.stat(file_of(path))
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return path, None, None
    return path, found.st_size, found.st_mtime_ns
