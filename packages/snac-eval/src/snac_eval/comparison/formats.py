"""A comparison as text for a terminal, as csv, and as JSON lines."""

import csv
import io
import json
from dataclasses import asdict, fields
from typing import Any

from snac_common.console import visible
from snac_common.text_table import aligned
from snac_eval.comparison.compare import Comparison, Row
from snac_eval.comparison.recipes import recipe_differences
from snac_eval.comparison.run import VALIDATION, better

COLUMNS = tuple(field.name for field in fields(Row))
ABSENT = "-"


def as_text(comparison: Comparison) -> str:
    """Return the scores, the differences of the recipes, and the warnings."""
    blocks = []
    for title, rows in by_group(comparison).items():
        scores = [["metric", "run", *score_columns(comparison)]]
        metric = None
        for row in rows:
            shown = row.metric if row.metric != metric else ""
            scores.append([shown, row.run, *score_cells(comparison, row)])
            metric = row.metric
        table = aligned(scores, [column > 1 for column in range(len(scores[0]))])
        blocks.append(table if title == VALIDATION else f"{title.upper()}, by snac-eval\n{table}")
    if differences := recipe_differences(comparison.runs):
        runs = [run.name for run in comparison.runs]
        lines = [[name, *map(in_words, values)] for name, values in differences.items()]
        blocks.append(aligned([["differs in", *runs], *lines], [False] * (1 + len(runs))))
    blocks += [f"warning: {visible(warning)}" for warning in comparison.warnings]
    return "\n\n".join(blocks) + "\n"


def by_group(comparison: Comparison) -> dict[str, list[Row]]:
    """Return the rows that people read: of validation, then of fidelity and of realism."""
    groups: dict[str, list[Row]] = {VALIDATION: [], "fidelity": [], "realism": []}
    for row in comparison.rows():
        if row.group in groups:
            groups[row.group].append(row)
    return {name: rows for name, rows in groups.items() if rows}


def as_csv(comparison: Comparison) -> str:
    """Return a line a metric and run; what was not measured is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in comparison.rows())
    return text.getvalue()


def as_json_lines(comparison: Comparison) -> str:
    """Return an object a line, of kind ``score``, ``difference`` or ``warning``."""
    names = [run.name for run in comparison.runs]
    lines: list[dict[str, Any]] = [{"kind": "score"} | asdict(row) for row in comparison.rows()]
    for field, values in recipe_differences(comparison.runs).items():
        by_run = dict(zip(names, values, strict=True))
        lines.append({"kind": "difference", "field": field, "values": by_run})
    lines += [{"kind": "warning", "text": warning} for warning in comparison.warnings]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def score_columns(comparison: Comparison) -> list[str]:
    """Return the columns that people read; ``resampled`` only where a run has it."""
    resampled = comparison.has_resampled()
    return [
        "start",
        *(["resampled"] if resampled else []),
        "best",
        "epoch",
        "last",
        "than no training",
        f"than {comparison.runs[0].name}",
        *(["95 % of the difference"] if comparison.differences else []),
    ]


def score_cells(comparison: Comparison, row: Row) -> list[str]:
    """Return what a row says in ``score_columns``."""
    resampled = comparison.has_resampled()
    return [
        number(row.start),
        *([number(row.resampled)] if resampled else []),
        number(row.best),
        in_words(row.best_epoch),
        number(row.last),
        change(row.metric, row.over_start),
        change(row.metric, row.over_first),
        *([interval(row)] if comparison.differences else []),
    ]


def number(value: float | None) -> str:
    """Return a value to four decimals, a hyphen where it is missing."""
    return ABSENT if value is None else f"{value:.4f}"


def interval(row: Row) -> str:
    """Return between which differences from the first run the true one lies."""
    return ABSENT if row.low is None or row.high is None else f"{row.low:+.4f} to {row.high:+.4f}"


def change(metric: str, improvement: float | None) -> str:
    """Return an improvement in percent as words: ``44.7 % lower``; a hyphen where it is missing."""
    if improvement is None:
        return ABSENT
    if not (size := abs(round(improvement, 1))):
        return "the same"
    higher = (improvement > 0) == (better(metric) > 0)
    return f"{size:.1f} % {'higher' if higher else 'lower'}"


def in_words(value: Any) -> str:
    """Return a setting as it would be written in a recipe, a hyphen where it is missing."""
    if value is None:
        return ABSENT
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
