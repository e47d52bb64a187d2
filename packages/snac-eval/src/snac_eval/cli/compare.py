"""``snac-compare``: training runs side by side."""

import sys
from pathlib import Path

import click

from snac_common.artifacts import Artifacts
from snac_common.console import note, print_summary
from snac_common.errors import Failure
from snac_common.options import artifacts_option
from snac_common.tool import Tool

FORMATS = ("table", "csv", "jsonl", "html")
EXAMPLE = """snac-compare first second --output comparison.html
snac-compare first second --fail-if "48k/loss > first * 1.02"
"""


@click.command(cls=Tool, example=EXAMPLE)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@artifacts_option
@click.option(
    "--format",
    "how",
    type=click.Choice(FORMATS),
    help="Format of the comparison. [default: by the ending of OUTPUT, else table]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="File to write the comparison to. [default: stdout]",
)
@click.option(
    "--fail-if",
    "rules",
    multiple=True,
    metavar="RULE",
    help="Exit with 1 if this rule is true for any run, such as '48k/loss > baseline * 1.02'. May "
    "be given several times.",
)
@click.option(
    "--wandb",
    type=click.Choice(["online", "offline", "disabled"]),
    default="disabled",
    help="Log tables and curves to a Weights & Biases run as well.",
)
@click.option("--wandb-project", default="snac", help="Project of that Weights & Biases run.")
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
    """Compare training runs: scores, recipes, and whether they measured the same thing.

    RUN is a name in ARTIFACTS/runs, a run's folder, or entity/project/id of Weights & Biases.
    The others are compared with the first.
    """
    from snac_eval.comparison.broken_rules import broken_rules
    from snac_eval.comparison.expression import parse_rule
    from snac_eval.comparison.write import choose_format, compare_runs, write

    parsed = [parse_rule(rule) for rule in rules]
    places = Artifacts.at(artifacts)
    comparison = compare_runs(runs, places)
    broken = broken_rules(comparison, parsed)
    how = choose_format(how, output)
    write(comparison, how, output, sys.stdout)
    if how == "csv" or output:
        for warning in comparison.warnings:
            note(f"warning: {warning}")
    logged = None
    if wandb != "disabled":
        from snac_eval.comparison.wandb_log import log

        logged = log(comparison, wandb, wandb_project, places.root)
    print_summary(
        to_stderr=output is None and how != "table",
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
