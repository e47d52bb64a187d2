"""The user's own query over the views."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import duckdb

from snac_cache.checks.table import WRITERS
from snac_cache.checks.views import Views
from snac_common.console import for_people, note
from snac_common.errors import BadInput

ROWS_IN_TABLE = 40
ROWS_AT_ONCE = 1024


def read_sql(text: str) -> str:
    """Return the query itself, or what standard input holds for ``-``."""
    sql = sys.stdin.read() if text == "-" else text
    if not sql.strip():
        raise BadInput(
            "the query is empty. Give --sql 'SELECT ...', or --sql - and a query on stdin."
        )
    return sql


def answer(views: Views, sql: str, how: str | None, max_rows: int | None, output: IO[str]) -> int:
    """Write the rows of a query; returns how many.

    Args:
        how: ``table``, ``csv`` or ``jsonl``; by default a table for people, else JSON lines.
        max_rows: the most rows to write; by default 40 in a table, all otherwise.

    Raises:
        BadInput: with DuckDB's message, if the query is wrong.
    """
    how = how or ("table" if for_people(output) else "jsonl")
    limit = max_rows or (ROWS_IN_TABLE if how == "table" else None)
    with _query_errors(views.lacking):
        result = views.execute(sql)
    names = [column[0] for column in result.description or []]
    rows = Rows(result, limit)
    WRITERS[how](names, rows, output)
    if rows.are_cut():
        note(f"only the first {limit} rows are shown; --max-rows N shows more, csv and jsonl all")
    return rows.count


class Rows:
    """The rows of an answer, fetched as they are asked for: memory does not grow with their number.

    The first are fetched at once, so that a query that fails at its first row writes nothing.

    Attributes:
        count: how many have been fetched.
    """

    def __init__(self, result: duckdb.DuckDBPyConnection, limit: int | None) -> None:
        self.result = result
        self.limit = limit
        self.count = 0
        self.first = self._fetch()

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows up to the limit, once."""
        rows = self.first
        while rows:
            yield from rows
            rows = self._fetch()

    def are_cut(self) -> bool:
        """Whether the limit left any out; to be asked once, at the end."""
        with _query_errors():
            return bool(self.limit) and self.result.fetchone() is not None

    def _fetch(self) -> list[tuple[Any, ...]]:
        size = ROWS_AT_ONCE if self.limit is None else min(ROWS_AT_ONCE, self.limit - self.count)
        with _query_errors():
            rows: list[tuple[Any, ...]] = self.result.fetchmany(size) if size else []
        self.count += len(rows)
        return rows


@contextmanager
def _query_errors(lacking: str | None = None) -> Iterator[None]:
    """Turn what DuckDB raises, at the query or at any of its rows, into BadInput.

    ``lacking`` says which views there are not, and why.
    """
    try:
        yield
    except duckdb.Error as error:
        because = f"\nThere are only manifests to ask: {lacking}" if lacking else ""
        raise BadInput(f"the query cannot be run: {error}{because}") from error
