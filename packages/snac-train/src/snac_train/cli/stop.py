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
@click.option("--now", is_flag=True, help="End the run at once, without saving.")
def main(*, run: str, artifacts: Path | None, now: bool) -> None:
    """Ask a run to save and end, and wait until it has ended.

    RUN is the name of a run in ARTIFACTS/runs. The run ends after the step, or the batch of a
    validation, that it is at. If it is asked a second time meanwhile, it ends at once. To go on
    with it: snac-train --run RUN --resume.
    """
    from snac_train.commands.stop import stop
    from snac_train.commands.which_run import existing_run

    status = stop(existing_run(Artifacts.at(artifacts), run), note, at_once=now)
    print_summary(
        run=status.run, state=status.state, step=status.step, checkpoint=status.checkpoint
    )


if __name__ == "__main__":
    main()
