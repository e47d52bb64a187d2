"""``snac-stop``: have a run save and end."""

from pathlib import Path

import click

from snac_common.artifacts import Artifacts
from snac_common.console import note, print_summary
from snac_common.options import artifacts_option
from snac_common.tool import Tool


@click.command(cls=Tool, example="snac-stop first")
@click.argument("run")
@artifacts_option
@click.option("--now", is_flag=True, help="At once, without saving.")
def main(*, run: str, artifacts: Path | None, now: bool) -> None:
    """Have a run save and end, and wait until it has.

    RUN is a name below ARTIFACTS/runs. It ends at the next step, or batch of a validation; stopped
    a second time meanwhile, it ends at once. Go on with it with snac-train --resume.
    """
    from snac_train.commands.stop import stop
    from snac_train.commands.which_run import existing_run

    status = stop(existing_run(Artifacts.at(artifacts), run), note, at_once=now)
    print_summary(
        run=status.run, state=status.state, step=status.step, checkpoint=status.checkpoint
    )


if __name__ == "__main__":
    main()
