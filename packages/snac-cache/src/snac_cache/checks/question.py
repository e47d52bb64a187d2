"""The user's own query over the views."""

import sys
from typing import IO

import duckdb

from snac_cache.checks.table import WRITERS
from snac_cache.checks.views import Views
from snac_model.console import note
from snac_model.errors import BadInput

ROWS_IN_TABLE = 40


def read_sql(text: str) -> str:
    """Return the query itself, or what standard input holds for ``-``."""
    sql = sys.stdin.read() if text == "-" else text
    if not sql.strip():
        raise BadInput(
            "the query is empty. Give --sql 'SELECT ...', or --sql - and a query on stdin."
        )
    return sql


def answer(views: Views, sql: str, how: str, max_rows: int | None, output: IO[str]) -> int:
    """Write the rows of a query; returns how many.

    Args:
        how: ``table``, ``csv`` or ``jsonl``.
        max_rows: the most rows to write; by default 40 in a table, all otherwise.

    Raises:
        BadInput: with DuckDB's message, if the query is wrong.
    """
    limit = max_rows or (ROWS_IN_TABLE if how == "table" else None)
    try:
        result = views.execute(sql)
        names = [column[0] for column in result.description or []]
        rows = result.fetchmany(limit) if limit else result.fetchall()
        more = bool(limit) and result.fetchone() is not None
    except duckdb.Error as error:
        raise BadInput(f"the query cannot be run: {error}") from error
    WRITERS[how](names, rows, output)
    if more:
        note(f"only the first {limit} rows are shown; --max-rows N shows more, csv and jsonl all")
    return len(rows)
