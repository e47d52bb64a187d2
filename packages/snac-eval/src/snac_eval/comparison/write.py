"""From the names of runs to a comparison, and from that to a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO

from snac_common.artifacts import Artifacts
from snac_common.files import write_text
from snac_eval.comparison.compare import Comparison, compare
from snac_eval.comparison.formats import as_csv, as_json_lines, as_text
from snac_eval.comparison.run import read_run
from snac_eval.comparison.sources import find_sources

ENDINGS = {".csv": "csv", ".jsonl": "jsonl", ".html": "html"}


def compare_runs(names: Sequence[str], artifacts: Artifacts) -> Comparison:
    """Find runs, read them one after the other, and put them side by side.

    Raises:
        Failure: if one cannot be found or read.
    """
    return compare([read_run(source) for source in find_sources(names, artifacts)])


def choose_format(asked: str | None, output: Path | None, *, to_terminal: bool) -> str:
    """Return the format asked for, else the one that a file's name ends in.

    Without a file, a terminal is given a table, and a program JSON lines.
    """
    if asked:
        return asked
    if output:
        return ENDINGS.get(output.suffix, "table")
    return "table" if to_terminal else "jsonl"


def write(comparison: Comparison, how: str, output: Path | None, stdout: IO[str]) -> None:
    """Write a comparison as ``table``, ``csv``, ``jsonl`` or ``html``."""
    if how == "html":
        from snac_eval.comparison.page import as_html

        text = as_html(comparison)
    else:
        text = {"table": as_text, "csv": as_csv, "jsonl": as_json_lines}[how](comparison)
    if output:
        write_text(output, text)
    else:
        stdout.write(text)
