"""Rows as people and programs read them: a table, csv, or JSON lines."""

import csv
import json
from collections.abc import Iterable, Sequence
from typing import IO, Any

from snac_common.console import visible, without_nan
from snac_common.text_table import aligned

WIDEST_CELL = 100


def write_table(names: Sequence[str], rows: Iterable[Sequence[Any]], output: IO[str]) -> None:
    """Write columns under their names, numbers to the right, long values cut.

    Control characters are shown as escapes, for this goes to a terminal.
    """
    values = list(rows)
    body = [[_cell(value) for value in row] for row in values]
    numbers = [all(isinstance(row[i], int | float) for row in values) for i in range(len(names))]
    widths = [max(map(len, map(visible, column))) for column in zip(names, *body, strict=True)]
    lines = [names, ["-" * width for width in widths], *body]
    output.write(aligned(lines, numbers) + "\n")


def write_csv(names: Sequence[str], rows: Iterable[Sequence[Any]], output: IO[str]) -> None:
    """Write comma-separated values under a line of names."""
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)


def write_json_lines(names: Sequence[str], rows: Iterable[Sequence[Any]], output: IO[str]) -> None:
    """Write one JSON object a row."""
    for row in rows:
        output.write(json.dumps(json_object(names, row), ensure_ascii=False) + "\n")


def json_object(names: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    """Return a row as a JSON object; dates, decimals and the like become text, NaN null."""
    values: dict[str, Any] = json.loads(json.dumps(dict(zip(names, row, strict=True)), default=str))
    return {name: without_nan(value) for name, value in values.items()}


WRITERS = {"table": write_table, "csv": write_csv, "jsonl": write_json_lines}


def _cell(value: Any) -> str:
    text = "" if value is None else visible(" ".join(str(value).split()))
    return text if len(text) <= WIDEST_CELL else text[: WIDEST_CELL - 1] + "…"
