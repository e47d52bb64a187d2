"""Rows as people and programs read them: a table, csv, or JSON lines."""

import csv
import json
from collections.abc import Iterable, Sequence
from typing import IO, Any

from snac_common.console import for_people, terminal_width, without_nan
from snac_common.text_table import write_table


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


def _write_for_people(names: Sequence[str], rows: Iterable[Sequence[Any]], output: IO[str]) -> None:
    write_table(names, rows, output, terminal_width() if for_people(output) else None)


WRITERS = {"table": _write_for_people, "csv": write_csv, "jsonl": write_json_lines}
