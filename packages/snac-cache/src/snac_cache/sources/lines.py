"""Text files of a line an utterance: rows of csv and tsv, objects of JSON lines."""

import csv
import gzip
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from snac_cache.manifests.find import Problem
from snac_common.errors import BadInput

JSON_LINES = (".jsonl", ".jsonl.gz", ".json", ".json.gz")
UNREADABLE = (OSError, UnicodeDecodeError, EOFError, zlib.error)
MOST_FIELD = 2**24  # characters of a field; the usual 131,072 are too few for a long transcript


class _WithoutQuotes(csv.excel):
    quoting = csv.QUOTE_NONE


Row = dict[str, Any]
Line = tuple[int, Row | Problem]


def read_json_objects(path: str) -> Iterator[Line]:
    """Yield each line's number and object, or what is wrong with it.

    Raises:
        BadInput: if the file cannot be read as text.
    """
    with _opened(path) as file:
        for number, line in _numbered(file, path):
            if line.strip():
                yield number, _object(line, number)


def _object(line: str, number: int) -> Row | Problem:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return "bad_line", f"line {number} is no JSON: {error}"
    return row if isinstance(row, dict) else ("bad_line", f"line {number} is no JSON object")


def read_table_rows(path: str, names: Iterable[str] | None = None) -> Iterator[Line]:
    """Yield each row's line number and fields by column, or what is wrong with it.

    Columns are separated by commas, semicolons, tabs or bars, whichever the first line has. Quotes
    have a meaning with commas and semicolons alone: in other tables they are the speaker's.

    Args:
        names: of the columns, where the file does not begin with them.
    """
    csv.field_size_limit(MOST_FIELD)
    with _opened(path) as file:
        first = file.readline()
        file.seek(0)
        delimiter = _delimiter(path, first)
        quotes = csv.excel if delimiter in ",;" else _WithoutQuotes
        reader = csv.reader(file, quotes, delimiter=delimiter)
        header = list(names) if names else None
        try:
            for fields in reader:
                if not fields:
                    continue
                if header is None:
                    header = [name.strip().removeprefix("\ufeff") for name in fields]
                    continue
                yield reader.line_num, _row(header, fields, reader.line_num)
        except (csv.Error, *UNREADABLE) as error:
            raise _unreadable(path, error) from error


def _row(header: list[str], fields: list[str], number: int) -> Row | Problem:
    if len(fields) != len(header):
        detail = f"line {number} has {len(fields)} fields, where there are {len(header)} columns"
        return "bad_line", detail
    return {name: value or None for name, value in zip(header, fields, strict=True)}


def first_fields(path: str) -> list[str]:
    """Return the fields of a table's first line."""
    with _opened(path) as file:
        try:
            line = file.readline().rstrip("\r\n").removeprefix("\ufeff")
        except UNREADABLE as error:
            raise _unreadable(path, error) from error
    return [field.strip().strip('"') for field in line.split(_delimiter(path, line))]


def _delimiter(path: str, line: str) -> str:
    if path.lower().removesuffix(".gz").endswith(".tsv"):
        return "\t"
    return max("|\t;,", key=line.count) if line else ","


def read_pairs(path: str) -> Iterator[tuple[int, str, str]]:
    """Yield each line of a Kaldi table: its number, its first word, and the rest.

    Raises:
        BadInput: if the file cannot be read as text.
    """
    with _opened(path) as file:
        for number, line in _numbered(file, path):
            if words := line.split(None, 1):
                yield number, words[0], words[1].strip() if len(words) > 1 else ""


def _opened(path: str) -> TextIO:
    try:
        if path.lower().endswith(".gz"):
            return gzip.open(path, "rt", encoding="utf-8", newline="")
        return open(path, encoding="utf-8", newline="")
    except OSError as error:
        raise _unreadable(path, error) from error


def _numbered(file: TextIO, path: str) -> Iterator[tuple[int, str]]:
    try:
        yield from enumerate(file, start=1)
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: Exception) -> BadInput:
    text = getattr(error, "strerror", None) or str(error)
    return BadInput(f"{os.path.abspath(path)} cannot be read: {text}")
