"""Parquet files with a column of audio: bytes in them, as on the Hugging Face Hub, or paths."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from snac_cache.manifests.sources import Source
from snac_cache.sources.columns import USUAL, Columns
from snac_cache.sources.containers import Container, find_containers
from snac_cache.sources.entry import Entry
from snac_cache.sources.listed import source_of
from snac_cache.sources.recordings import Recordings
from snac_common.errors import BadInput
from snac_model.audio.locators import Locator

ROWS_AT_ONCE = 1024


def read_parquet_audio(source: Source, columns: Columns) -> Iterator[Entry]:
    """Yield the utterances of parquet files, in the order of their rows; audio is not read.

    Raises:
        BadInput: if a file has no column of audio.
    """
    for found in find_containers(source.path, (".parquet",)):
        if isinstance(found, Entry):
            yield found
            continue
        try:
            with pq.ParquetFile(source_of(found.path), pre_buffer=True) as file:
                yield from _Rows(found, file, columns).entries()
        except (OSError, pa.ArrowException) as error:
            problem = (
                "torn_parquet",
                f"it cannot be read as parquet: {' '.join(str(error).split())}",
            )
            yield Entry(found.place, found.path, problem=problem)


class _Rows:
    """One file."""

    def __init__(self, container: Container, file: pq.ParquetFile, columns: Columns) -> None:
        self.container = container
        self.file = file
        self.columns = columns
        schema = file.schema_arrow
        self.audio = columns.find("audio", schema.names, _audio_first(schema)) or ""
        if self.audio not in schema.names:
            raise BadInput(
                f"{container.path} has no column of audio. It has {', '.join(schema.names)}: say "
                "which it is with --column audio=NAME."
            )
        kind = schema.field(self.audio).type
        self.bytes = _bytes_in(self.audio, kind)
        self.path = _path_in(self.audio, kind)
        self.id = columns.find("id", schema.names)
        self.own_id = [self.id] if self.id == "utterance_id" else []  # the manifest has its own
        self.split = columns.find("split", schema.names)
        self.recordings = Recordings(os.path.dirname(container.path))

    def entries(self) -> Iterator[Entry]:
        """Yield its rows; a column of audio is read no further than to see which rows lack it."""
        said = [f.name for f in self.file.schema_arrow if not _is_binary(f.type)]
        said = [name for name in said if name != self.audio]
        number = 0
        for group in range(self.file.num_row_groups):
            paths = self._paths(group)
            row = 0
            for values in self._said(group, said):
                yield self._entry(values, group, row, number, paths[row] if paths else None)
                row, number = row + 1, number + 1

    def _said(self, group: int, names: list[str]) -> Iterator[dict[str, Any]]:
        """Yield the rows of a group, without audio."""
        if not names:
            yield from ({} for _ in range(self.file.metadata.row_group(group).num_rows))
            return
        for batch in self.file.iter_batches(ROWS_AT_ONCE, [group], names):
            yield from batch.to_pylist()

    def _paths(self, group: int) -> list[str | None] | None:
        """Return the paths of a row group's audio, if there are paths in place of bytes."""
        if not self.path:
            return None
        values = self.file.read_row_group(group, columns=[self.path]).column(self.path)
        found: list[str | None] = values.to_pylist()
        return found

    def _entry(
        self, values: Mapping[str, Any], group: int, row: int, number: int, path: str | None
    ) -> Entry:
        place = f"{self.container.place}/{number:06d}"
        if self.id and values.get(self.id) not in (None, ""):
            place = str(values[self.id])
        if self.bytes:
            audio = str(Locator(self.container.path, cell=(group, row, self.bytes)))
        else:
            audio = self.recordings.path(path) if path else self.container.path
        told = self.container.told
        if self.split and values.get(self.split) is not None:
            told = str(values[self.split])
        said = self.columns.kept(values, [self.split, *self.own_id])
        problem = None if self.bytes or path else ("no_audio", "the row names no audio")
        return Entry(place, audio, self.container.place, told, columns=said, problem=problem)


def _audio_first(schema: pa.Schema) -> tuple[str, ...]:
    """Return columns that hold audio itself, then those whose names say so."""
    usual = [name for name in USUAL["audio"] if name in schema.names]
    holding = [name for name in usual if _bytes_in(name, schema.field(name).type)]
    others = [f.name for f in schema if pa.types.is_struct(f.type) and _bytes_in(f.name, f.type)]
    return (*holding, *others, *usual)


def _is_binary(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(_is_binary(kind.field(at).type) for at in range(kind.num_fields))
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _bytes_in(name: str, kind: pa.DataType) -> str | None:
    """Return the column of bytes that a column is, or has in it."""
    if pa.types.is_struct(kind):
        fields = [kind.field(at) for at in range(kind.num_fields)]
        return next((f"{name}.{f.name}" for f in fields if _is_binary(f.type)), None)
    return name if _is_binary(kind) else None


def _path_in(name: str, kind: pa.DataType) -> str | None:
    """Return the column of paths that a column is, if there are no bytes."""
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return name if text else None
