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
@click.option("--now", is_flag=True, help="At once, without saving.")
def main(*, run: str, artifacts: Path | None, now: bool) -> None:
    """Have a run save and end, and wait until it has.

    RUN is a name below ARTIFACTS/runs, or snac-cache or snac-upsample for what they do. A run ends
    at the next step, or batch of a validation; stopped a second time meanwhile, it ends at once. Go
    on with it with snac-train --resume, and with the others by the same command.
    """
    from snac_train.commands.stop import stop

    ended = stop(run, Artifacts.at(artifacts), note, at_once=now)
    shown = asdict(ended)
    print_summary(**{name: shown[name] for name in SHOWN if name in shown})


if __name__ == "__main__":
    main()
