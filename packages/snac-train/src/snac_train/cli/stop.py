"""``snac-stop``: have a run save and end."""

from dataclasses import asdict
from pathlib import Path

import click

from snac_common.artifacts import Artifacts
from snac_common.console import note, print_summary
from snac_common.options import artifacts_option
from snac_common.tool import Tool

SHOWN = ("run", "command", "folder", "state", "step", "done", "total", "checkpoint")


@click.command(cls=Tool, example="snac-stop first")
@click.argument("run")
@artifacts_option
@click.option("--now", is_flag=True, help="End the run at once, without saving.")
def main(*, run: str, artifacts: Path | None, now: bool) -> None:
    """Ask a run to save and end, and wait until it has ended.

    RUN is the name of a run in ARTIFACTS/runs, or snac-cache or snac-upsample. A run ends after the
    step, or the batch of a validation, that it is at. If it is asked a second time meanwhile, it
    ends at once. To go on with a run: snac-train --run RUN --resume. To go on with the others, give
    the same command again.
    """
    from snac_train.commands.stop import stop

    ended = stop(run, Artifacts.at(artifacts), note, at_once=now)
    shown = asdict(ended)
    print_summary(**{name: shown[name] for name in SHOWN if name in shown})


if __name__ == "__main__":
    main()
