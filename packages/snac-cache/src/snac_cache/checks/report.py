"""What came of the checks, for people and for programs."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import IO, Any

from snac_cache.checks.runner import Outcome
from snac_cache.checks.table import write_table
from snac_cache.checks.views import Views
from snac_common.console import visible


def write_report(outcomes: list[Outcome], width: int | None, output: IO[str]) -> None:
    """Write a table of all checks that fits the terminal, then what each found."""
    rows = [
        (outcome.check.name, outcome.result, outcome.count, outcome.check.proves)
        for outcome in outcomes
    ]
    write_table(("check", "result", "count", "what it proves"), rows, output, width)
    output.writelines(f"\n{text}\n" for text in what_was_found(outcomes))
    output.write("\n")


def what_was_found(outcomes: list[Outcome]) -> Iterator[str]:
    """Yield, for each check that does not pass, its result and some of what it found."""
    for outcome in outcomes:
        if outcome.skipped:
            yield f"{outcome.check.name}: skip, {visible(outcome.skipped)}"
        elif outcome.result != "pass":
            examples = [json.dumps(row, ensure_ascii=False) for row in outcome.examples]
            problem = f"it could not be run: {outcome.error}".splitlines()
            lines = problem if outcome.error else examples
            head = f"{outcome.check.name}: {outcome.result}, {outcome.count} found"
            yield "\n".join([head, *(f"  {visible(line)}" for line in lines)])


def write_codebooks(views: Views, width: int | None, output: IO[str]) -> None:
    """Write how each level uses its codebook, if a check has counted the tokens."""
    if views.has_made("codebooks"):
        found = views.execute("FROM codebooks")
        names = [column[0] for column in found.description or []]
        write_table(names, found.fetchall(), output, width)
        output.write("\n")


def summary(outcomes: list[Outcome], *, details: bool) -> dict[str, Any]:
    """Return how many checks came to each result; with ``details`` also each of them."""
    totals = Counter(outcome.result for outcome in outcomes)
    fields: dict[str, Any] = {name: totals[name] for name in ("pass", "warn", "fail", "skip")}
    if details:
        fields["checks"] = [_details(outcome) for outcome in outcomes]
    return fields


def _details(outcome: Outcome) -> dict[str, Any]:
    return {
        "check": outcome.check.name,
        "result": outcome.result,
        "severity": outcome.check.severity,
        "count": outcome.count,
        "proves": outcome.check.proves,
        "examples": outcome.examples,
        "error": outcome.error,
        "skipped": outcome.skipped,
        "seconds": round(outcome.seconds, 3),
    }
