"""Tables beside files: csv, tsv, JSON lines with a column of paths."""

import math
import os
from collections.abc import Iterator
from typing import Protocol

from snac_cache.manifests.find import Problem, Span
from snac_cache.manifests.sources import Source
from snac_cache.sources.columns import USUAL, Columns
from snac_cache.sources.containers import Container, find_containers
from snac_cache.sources.entry import Entry
from snac_cache.sources.lines import (
    JSON_LINES,
    Line,
    Row,
    first_fields,
    read_json_objects,
    read_table_rows,
)
from snac_cache.sources.recordings import Recordings
from snac_common.errors import BadInput

TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
WITHOUT_NAMES = ("audio", "text", "text_normalized")  # of LJSpeech's metadata.csv


def read_tables(source: Source, columns: Columns) -> Iterator[Entry]:
    """Yield the utterances of tables, in the order of their rows.

    Raises:
        BadInput: if a table cannot be read, or has no column of paths.
    """
    for found in find_containers(source.path, (*TABLES, *JSON_LINES), others=False):
        if isinstance(found, Container):
            recordings = Recordings(os.path.dirname(found.path))
            for number, row in _lines(found.path):
                yield row_entry(found, number, row, columns, recordings)


def _lines(path: str) -> Iterator[Line]:
    if path.lower().endswith(JSON_LINES):
        return read_json_objects(path)
    fields = first_fields(path)
    has_names = any(name in fields for names in USUAL.values() for name in names)
    return read_table_rows(path, None if has_names else _made_up(len(fields)))


def _made_up(count: int) -> list[str]:
    return [
        WITHOUT_NAMES[at] if at < len(WITHOUT_NAMES) else f"column_{at + 1}" for at in range(count)
    ]


class Places(Protocol):
    """Says where the recording lies that a row names, and what an id is made of."""

    def path(self, name: str) -> str:
        """Return an absolute path or a locator."""
        ...

    def place(self, path: str) -> str:
        """Return what an id is made of, of such a path."""
        ...


def row_entry(
    table: Container, line: int, row: Row | Problem, columns: Columns, recordings: Places
) -> Entry:
    """Return what a row of a table tells of.

    Raises:
        BadInput: if the first row has no column of paths.
    """
    place = f"{table.place}/{line:06d}"
    if isinstance(row, tuple):
        return Entry(place, table.path, table.place, problem=row)
    audio = columns.find("audio", row)
    if audio is None and line <= 2:
        raise BadInput(
            f"{table.path} has no column of paths. It has {', '.join(row)}: say which it is with "
            "--column audio=NAME."
        )
    if not audio or not row.get(audio):
        return Entry(place, table.path, table.place, problem=("no_audio", "the row names no audio"))
    path = recordings.path(str(row[audio]))
    try:
        span = _span(row, columns)
    except ValueError as error:
        problem = "bad_segment", f"line {line}: {error}"
        return Entry(place, path, table.place, problem=problem)
    used = [audio, "utterance_id", columns.find("split", row)]
    told = columns.find("split", row)
    return Entry(
        _place(row, columns, recordings, path, span),
        path,
        table.place,
        str(row[told]) if told and row.get(told) is not None else table.told,
        span,
        columns.kept(row, used),
    )


def _span(row: Row, columns: Columns) -> Span | None:
    """Return the part of the recording that a row tells of; raises ValueError."""
    found = {name: columns.find(name, row) for name in ("start", "end", "duration")}
    said = {name: number(row.get(column)) for name, column in found.items() if column}
    start, stop = said.get("start"), said.get("end")
    if start is None and stop is None and said.get("duration") is None:
        return None
    start = start or 0.0
    if stop is None and (seconds := said.get("duration")) is not None:
        stop = start + seconds
    if start < 0 or (stop is not None and stop <= start):
        raise ValueError(f"a segment from {start} s to {stop} s")
    return Span(start, stop)


def number(value: object) -> float | None:
    """Return a number of seconds; raises ValueError if it is none."""
    if value is None or value == "":
        return None
    seconds = float(value) if isinstance(value, str | int | float) else math.nan
    if not abs(seconds) < 1e9:
        raise ValueError(f"{value} is no number of seconds")
    return seconds


def _place(row: Row, columns: Columns, recordings: Places, path: str, span: Span | None) -> str:
    name = columns.find("id", row)
    if name and row.get(name) not in (None, ""):
        return str(row[name])
    place = recordings.place(path)
    return f"{place}-{round(span.start * 1000):08d}" if span and span.start else place
