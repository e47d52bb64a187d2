"""``snac-check``: SQL checks on cached codes."""

import re
import sys
from pathlib import Path

import click

from snac_common.artifacts import Artifacts, is_measured
from snac_common.console import for_people, note, print_summary, terminal_width
from snac_common.errors import Failure
from snac_common.options import Place, artifacts_option, codes_option
from snac_common.refresh import refresh
from snac_common.run_mirror import bring_runs, is_small
from snac_common.tool import Tool

EXAMPLE = """snac-check --artifacts artifacts
snac-check --sql "SELECT split, sum(duration_s) / 3600 AS hours FROM codes GROUP BY split"
"""


def as_size(text: str) -> str:
    """Return a size as DuckDB takes it; raises click.BadParameter if it is none."""
    if not re.fullmatch(r"[1-9]\d*(\.\d+)? ?[KMGT]i?B", text):
        raise click.BadParameter(f"{text!r} is no size: write it as 8GB or 500MB")
    return text


@click.command(cls=Tool, example=EXAMPLE)
@artifacts_option
@codes_option
@click.option(
    "--manifest",
    type=Place(path_type=Path),
    metavar="PATH",
    help="Folder of manifests, or one of its files. [default: ARTIFACTS/manifests]",
)
@click.option(
    "--only",
    multiple=True,
    metavar="NAME",
    help="Run only this check. May be given several times. [default: all checks]",
)
@click.option(
    "--checks-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Run your own checks too, the *.sql files of this folder. [default: none]",
)
@click.option(
    "--memory",
    default="2GB",
    callback=lambda context, parameter, size: as_size(size),
    metavar="SIZE",
    help="Memory for sorting and joining; what does not fit is written to $TMPDIR.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Write all results as one line of JSON, as in a pipe, to a terminal too.",
)
@click.option(
    "--sql",
    metavar="QUERY",
    help="Answer this SQL query instead of checking; - reads it from standard input.",
)
@click.option(
    "--format",
    "how",
    type=click.Choice(["table", "csv", "jsonl"]),
    help="Format of the answer to --sql. [default: table on a terminal, else jsonl]",
)
@click.option(
    "--max-rows",
    type=click.IntRange(1),
    metavar="N",
    help="Most rows that --sql prints. [default: 40 in a table, else all]",
)
def main(
    *,
    artifacts: Path | None,
    codes: Path | None,
    manifest: Path | None,
    only: tuple[str, ...],
    checks_dir: Path | None,
    memory: str,
    as_json: bool,
    sql: str | None,
    how: str | None,
    max_rows: int | None,
) -> None:
    """Check that every file is accounted for and that the codes are sound, or answer a question.

    Each check is an SQL query that returns the offending rows. If a check fails, the exit code is
    1; a warning leaves it 0. The answer is a table on a terminal and JSON in a pipe.

    Your own checks, and --sql, can use these views of the cache: codes, cached, manifest, planned,
    tokens, rejects, cache, parts, levels, codebooks, token_counts and token_lists. What lies beside
    it is in metrics, eval and training. manifest and rejects can be asked before there are codes.
    """
    from snac_cache.checks.question import answer, read_sql
    from snac_cache.checks.report import summary, what_was_found, write_codebooks, write_report
    from snac_cache.checks.runner import load_checks, run_checks
    from snac_cache.checks.views import open_views

    query = None if sql is None else read_sql(sql)
    checks = load_checks(checks_dir, only)
    places = Artifacts.at(artifacts)
    codes, manifest = codes or places.codes, manifest or places.manifests
    refresh(codes, manifest)
    if query is not None:
        bring_runs(places.run(""), only=is_small)
        refresh(places.evaluation(""), only=is_measured)
    with open_views(
        codes,
        manifest,
        places.root,
        without_codes=query is not None,
        memory=memory,
    ) as views:
        if query is not None:
            rows = answer(views, query, how, max_rows, sys.stdout)
            print_summary(to_stderr=True, rows=rows)
            return
        outcomes = list(run_checks(views, checks))
        if for_people() and not as_json:
            write_report(outcomes, terminal_width(), sys.stdout)
            write_codebooks(views, terminal_width(), sys.stdout)
            details = False
        else:
            for found in what_was_found(outcomes):
                note(found)
            details = True
    print_summary(**summary(outcomes, details=details))
    if failed := [outcome.check.name for outcome in outcomes if outcome.result == "fail"]:
        raise Failure(
            f"the cache fails {len(failed)} of {len(outcomes)} checks: {', '.join(failed)}. "
            "docs/checks.md says what each means and what to do."
        )


if __name__ == "__main__":
    main()
