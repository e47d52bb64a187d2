"""snac-check --sql: what it writes, for people, programs and terminals, in how much memory."""

import io
import json
from typing import Any

import pytest

from snac_cache.checks.question import answer
from snac_cache.checks.table import write_json_lines, write_table

ROWS = 100_000


class Watched:
    """An answer of many rows, which must be written before more are asked for."""

    description = (("n",),)
    lacking = None

    def __init__(self, output: io.StringIO, how: str) -> None:
        self.output = output
        self.lines = 1 if how == "csv" else 0
        self.given = 0

    def execute(self, sql: str) -> "Watched":
        return self

    def fetchmany(self, size: int) -> list[tuple[int]]:
        assert self.given == 0 or self.output.getvalue().count("\n") == self.lines + self.given
        first, self.given = self.given, min(self.given + size, ROWS)
        assert self.given - first <= ROWS / 20, "memory would grow with the number of rows"
        return [(number,) for number in range(first, self.given)]

    def fetchall(self) -> list[tuple[int]]:
        return self.fetchmany(ROWS)

    def fetchone(self) -> tuple[int] | None:
        return (self.given,) if self.given < ROWS else None


@pytest.mark.parametrize("how", ["csv", "jsonl"])
@pytest.mark.parametrize(("max_rows", "expected"), [(None, ROWS), (77_777, 77_777)])
def test_rows_are_written_as_they_come(how: str, max_rows: int | None, expected: int) -> None:
    output = io.StringIO()
    views: Any = Watched(output, how)
    assert answer(views, "SELECT n", how, max_rows, output) == expected
    last = output.getvalue().splitlines()[-1]
    assert last == (str(expected - 1) if how == "csv" else f'{{"n": {expected - 1}}}')


def test_a_table_changes_no_terminal() -> None:
    output = io.StringIO()
    write_table(["\x1b[31mid", "n"], [("a\x1b[2J\x9bb", 1), ("two\nlines\x07", 22)], output)
    assert output.getvalue() == (
        "\\x1b[31mid      n\n-------------  --\na\\x1b[2J\\x9bb   1\ntwo lines\\x07  22\n"
    )


def test_json_lines_are_json_whatever_the_numbers() -> None:
    output = io.StringIO()
    write_json_lines(["a", "b"], [(float("nan"), [float("inf"), 1.5])], output)
    assert json.loads(output.getvalue(), parse_constant=pytest.fail) == {
        "a": None,
        "b": [None, 1.5],
    }
