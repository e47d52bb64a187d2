"""``snac-status``: what runs, how far, how fast."""

import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from snac_common.addresses import place
from snac_common.artifacts import Artifacts
from snac_common.console import (
    for_people,
    json_line,
    note,
    print_summary,
    terminal_width,
    visible,
)
from snac_common.errors import BadInput
from snac_common.options import artifacts_option
from snac_common.refresh import refresh
from snac_common.tool import Tool

EXAMPLE = """snac-status
snac-status --run first --log 50
snac-status --codes
snac-status | jq -r 'select(.state == "dead").run'
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
@click.option(
    "--codes",
    is_flag=False,
    flag_value="",
    metavar="[DIR]",
    help="Show how far the cache in this folder is: parts, utterances, rejects, speed, time left, "
    "and who is at work. [default: ARTIFACTS/codes, if DIR is left out]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each run.")
def main(
    *,
    artifacts: Path | None,
    run: str | None,
    log: int | None,
    codes: str | None,
    as_json: bool,
) -> None:
    """Show every run in ARTIFACTS/runs: its state, progress, speed, losses and last checkpoint.

    Below them it shows what snac-cache and snac-upsample do. In a pipe, each is a line of JSON.

    A run is running, finished, stopped, failed or dead. Dead means that the process is gone, but
    the run had not come to its end: go on with snac-train --resume. A narrow terminal shows fewer
    columns; --run shows everything.
    """
    from snac_common.jobs import find_jobs
    from snac_train.commands.status import find_runs, log_tail, read_status
    from snac_train.commands.status_table import write_details, write_jobs, write_runs
    from snac_train.commands.which_run import existing_run

    places = Artifacts.at(artifacts)
    if codes is not None and (run is not None or log is not None):
        raise BadInput("--codes is of a cache, --run and --log of a run: give one of them")
    if codes is not None:
        show_codes(place(codes) if codes else places.codes, as_json or not for_people())
        return
    runs = find_runs(places)
    one = run is not None or log is not None
    if run is not None:
        runs = [existing_run(places, run)]
    elif log:
        runs = runs[:1]
    found = [read_status(path) for path in runs]
    jobs = [] if one else find_jobs(places.root)
    lines = log_tail(runs[0], log) if log and runs else []
    if not found and not jobs:
        note(f"no runs in {places.run('')}")
    elif as_json or not for_people():
        for entry in (*map(asdict, found), *(job.fields() for job in jobs)):
            click.echo(json_line(entry | ({"log": lines} if log else {})))
        lines = []
    elif one:
        write_details(found[0], sys.stdout)
    else:
        if found:
            write_runs(found, terminal_width(), sys.stdout)
        if jobs:
            write_jobs(jobs, terminal_width(), sys.stdout)
    click.echo("".join(f"{visible(line)}\n" for line in lines), nl=False)
    print_summary(
        runs=len(found),
        states=Counter([*(status.state for status in found), *(job.state for job in jobs)]),
    )


def show_codes(folder: Path, as_json: bool) -> None:
    """Show how far a cache is."""
    refresh(folder)
    from snac_cache.store.progress import CacheProgress
    from snac_train.commands.status_of_codes import fields, jobs_of, write_fields

    said = fields(CacheProgress.of(folder), jobs_of(folder), time.time())
    if as_json:
        print_summary(**said)
    else:
        write_fields(said, sys.stdout)


if __name__ == "__main__":
    main()
