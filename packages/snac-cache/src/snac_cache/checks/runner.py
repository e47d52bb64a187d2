"""Named checks: SQL files whose rows are what is wrong."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from snac_cache.checks.table import json_object
from snac_cache.checks.views import Views
from snac_common.errors import BadInput

PACKAGED = Path(__file__).with_name("sql")
EXAMPLES = 3
UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Check:
    """One SQL file.

    Attributes:
        name: the file's, without ``.sql``.
        proves: the first comment, in one sentence.
        severity: ``fail`` or ``warn``, from the line ``-- severity: fail``.
        sql: a query whose rows are what is wrong.
        needs: columns that a view may lack, as pairs of view and column, from the line
            ``-- needs: manifest.text``; without them the check is skipped.
    """

    name: str
    proves: str
    severity: str
    sql: str
    needs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def read(cls, path: Path) -> "Check":
        """Read a file; raises BadInput if it lacks its sentence or severity."""
        sql = path.read_text(encoding="utf-8")
        comment = [line[2:].strip() for line in sql.splitlines() if line.startswith("--")]
        severity = re.search(r"^-- severity: (fail|warn)$", sql, re.MULTILINE)
        if not severity or not comment or comment[0].startswith("severity"):
            raise BadInput(
                f"{path} must start with '-- What it proves.' and '-- severity: fail' or "
                "'-- severity: warn'"
            )
        needs = re.search(r"^-- needs: ((?:\w+\.\w+(?:, )?)+)$", sql, re.MULTILINE)
        pairs = re.findall(r"(\w+)\.(\w+)", needs[1]) if needs else []
        return cls(path.stem, comment[0], severity[1], sql, tuple(pairs))


@dataclass(frozen=True)
class Outcome:
    """What came of a check.

    Attributes:
        result: ``pass``, or the check's severity; ``skip`` where there is nothing to check.
        count: rows that the query returned.
        examples: the first few of them.
        error: why the query could not be run; then nothing is proven and the result is ``fail``.
        skipped: why there is nothing to check.
    """

    check: Check
    result: str
    count: int
    examples: list[dict[str, Any]]
    seconds: float
    error: str | None = None
    skipped: str | None = None


def load_checks(own: Path | None, only: tuple[str, ...]) -> list[Check]:
    """Return the packaged checks and the user's own, by name.

    Args:
        own: folder of more ``.sql`` files.
        only: names to keep; all if empty.

    Raises:
        BadInput: if a file is no check, a name is there twice, or is not there.
    """
    checks: dict[str, Check] = {}
    folders = [PACKAGED, own] if own else [PACKAGED]
    for path in (path for folder in folders for path in sorted(folder.glob("*.sql"))):
        if path.stem in checks:
            raise BadInput(f"{path}: there is a check of that name already; rename the file")
        checks[path.stem] = Check.read(path)
    if unknown := sorted(set(only) - set(checks)):
        raise BadInput(f"no check {', '.join(unknown)}; there are {', '.join(checks)}")
    return [check for name, check in checks.items() if not only or name in only]


def run_checks(views: Views, checks: list[Check]) -> Iterator[Outcome]:
    """Run checks over the views, one after the other."""
    if any(views.would_make(UNREADABLE, check.sql) for check in checks):
        views.prepare(UNREADABLE)  # before all others, for it leaves out what cannot be read
    for check in checks:
        yield _run(views, check)


def _run(views: Views, check: Check) -> Outcome:
    started = time.monotonic()
    try:
        if lacking := _lacking(views, check):
            seconds = time.monotonic() - started
            return Outcome(check, "skip", 0, [], seconds, skipped=lacking)
        query = check.sql.rstrip().removesuffix(";")
        views.execute(f"CREATE OR REPLACE TEMP TABLE found AS\n{query}")
        (count,) = views.execute("SELECT count(*) FROM found").fetchone() or (0,)
        found = views.execute(f"FROM found LIMIT {EXAMPLES}")
        names = [column[0] for column in found.description or []]
        examples = [json_object(names, row) for row in found.fetchall()]
    except duckdb.Error as error:
        return Outcome(check, "fail", 0, [], time.monotonic() - started, str(error))
    result = check.severity if count else "pass"
    return Outcome(check, result, count, examples, time.monotonic() - started)


def _lacking(views: Views, check: Check) -> str | None:
    """Say which column that a check needs is not there, if any."""
    for view, column in check.needs:
        described = views.execute(f"SELECT column_name FROM (DESCRIBE {view})").fetchall()
        if (column,) not in described:
            return f"{view} has no column {column}"
    return None
