"""``snac-status``: what runs, how far, how fast."""

import json
import shutil
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from snac_common.artifacts import Artifacts
from snac_common.console import note, print_summary
from snac_common.options import artifacts_option
from snac_common.tool import Tool

ANY_WIDTH = 10_000  # of a pipe or a file

EXAMPLE = """snac-status
snac-status --run first --log 50
snac-status --json | jq -r 'select(.state == "dead").run'
"""


@click.command(cls=Tool, example=EXAMPLE)
@artifacts_option
@click.option("--run", metavar="NAME", help="Show this run alone, in full. [default: all runs]")
@click.option(
    "--log",
    type=click.IntRange(1),
    is_flag=False,
    flag_value=20,
    metavar="[N]",
    help="Also show the last N lines of the log of --run, or else of the run that wrote last. "
    "[default: no log; 20 lines if N is left out]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each run.")
def main(*, artifacts: Path | None, run: str | None, log: int | None, as_json: bool) -> None:
    """Show every run in ARTIFACTS/runs: its state, progress, speed, losses and last checkpoint.

    A run is running, finished, stopped, failed or dead. Dead means that the process is gone, but
    the run had not come to its end: go on with snac-train --resume. A narrow terminal shows fewer
    columns; --run shows everything.
    """
    from snac_train.commands.status import find_runs, log_tail, read_status
    from snac_train.commands.status_table import write_details, write_overview
    from snac_train.commands.which_run import existing_run

    places = Artifacts.at(artifacts)
    runs = find_runs(places.run(""))
    if run is not None:
        runs = [existing_run(places, run)]
    elif log:
        runs = runs[:1]
    found = [read_status(path) for path in runs]
    if not found:
        note(f"there are no runs in {places.run('')} yet")
    elif as_json:
        for status in found:
            click.echo(json.dumps(asdict(status), ensure_ascii=False))
    elif run is not None or log:
        write_details(found[0], sys.stdout)
    else:
        write_overview(found, shutil.get_terminal_size((ANY_WIDTH, 0)).columns, sys.stdout)
    if log:
        click.echo("".join(f"{line}\n" for path in runs for line in log_tail(path, log)))
    print_summary(runs=len(found), states=Counter(status.state for status in found))


if __name__ == "__main__":
    main()
