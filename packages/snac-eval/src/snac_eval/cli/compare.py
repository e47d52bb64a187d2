"""``snac-compare``: training runs side by side."""

import sys
from pathlib import Path

import click

from snac_common.artifacts import Artifacts, is_measured
from snac_common.console import note, print_summary
from snac_common.errors import Failure
from snac_common.options import artifacts_option
from snac_common.refresh import refresh
from snac_common.tool import Tool

FORMATS = ("table", "csv", "jsonl", "html")
EXAMPLE = """snac-compare first second -o comparison.html
snac-compare first second --fail-if "48k/loss > first * 1.02"
"""


@click.command(cls=Tool, example=EXAMPLE)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@artifacts_option
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the comparison to this file. Its ending decides the format: .html is a page with "
    "curves, .csv and .jsonl are for programs, any other is a table. [default: stdout]",
)
@click.option(
    "--format",
    "how",
    type=click.Choice(FORMATS),
    help="Write this format, whatever the file is called. [default: by the ending of FILE; on "
    "stdout a table for a terminal, else jsonl]",
)
@click.option(
    "--fail-if",
    "rules",
    multiple=True,
    metavar="RULE",
    help="Exit with 1 if this rule is true for any run, for example '48k/loss > resampled'. The "
    "package's README lists what a rule can name. May be given several times. [default: no rule]",
)
@click.option(
    "--wandb",
    type=click.Choice(["online", "offline", "disabled"]),
    default="disabled",
    help="Log the tables and curves to a new Weights & Biases run as well.",
)
@click.option(
    "--wandb-project",
    default="snac",
    metavar="NAME",
    help="The Weights & Biases project of that run.",
)
def main(
    *,
    runs: tuple[str, ...],
    artifacts: Path | None,
    how: str | None,
    output: Path | None,
    rules: tuple[str, ...],
    wandb: str,
    wandb_project: str,
) -> None:
    """Compare training runs with their starting models and with the first run.

    RUN is the name of a run in ARTIFACTS/runs, a run's folder, or the entity/project/id of a
    Weights & Biases run. The comparison shows each validation metric before training, at its best
    and at the end, where the recipes differ, and which numbers must not be compared. Fidelity and
    realism of the best models are shown where snac-eval has measured them.
    """
    from snac_eval.comparison.broken_rules import broken_rules
    from snac_eval.comparison.expression import parse_rule
    from snac_eval.comparison.formats import as_text
    from snac_eval.comparison.write import choose_format, compare_runs, write

    parsed = [parse_rule(rule) for rule in rules]
    places = Artifacts.at(artifacts)
    refresh(places.evaluation(""), only=is_measured)
    comparison = compare_runs(runs, places)
    broken = broken_rules(comparison, parsed)
    to_terminal = sys.stdout.isatty()
    chosen = choose_format(how, output, to_terminal=to_terminal)
    write(comparison, chosen, output, sys.stdout)
    if not how and not output and chosen == "jsonl":
        note(as_text(comparison))
    elif output or chosen in ("csv", "html"):
        for warning in comparison.warnings:
            note(f"warning: {warning}")
    logged = None
    if wandb != "disabled":
        from snac_eval.comparison.wandb_log import log

        logged = log(comparison, wandb, wandb_project, places.root)
    if output or not to_terminal:
        print_summary(
            to_stderr=output is None and chosen != "jsonl",
            kind="summary",
            runs=[run.name for run in comparison.runs],
            output=str(output) if output else None,
            wandb=logged,
            warnings=len(comparison.warnings),
            broken=broken,
        )
    if broken:
        raise Failure("--fail-if found:\n" + "\n".join(f"  {message}" for message in broken))


if __name__ == "__main__":
    main()
