"""A run's metrics in Weights & Biases, under the names that they have in metrics.jsonl."""

from pathlib import Path
from typing import Any

from snac_train.recipe.tables import Tracking

STEP_AXIS = "samples_seen"


class WandbRun:
    """One W&B run, which a resumed run goes on with.

    Args:
        mode: ``online`` or ``offline``.
        folder: where W&B keeps its own files.
        name: of the run.
        config: the resolved recipe.
        run_id: of the W&B run to go on with; None for a new one.
    """

    def __init__(
        self,
        mode: str,
        folder: Path,
        name: str,
        *,
        config: dict[str, Any],
        tracking: Tracking,
        run_id: str | None,
    ) -> None:
        import wandb

        self._run = wandb.init(
            mode="online" if mode == "online" else "offline",
            dir=folder,
            name=name,
            id=run_id,
            resume="allow",
            project=tracking.project,
            group=tracking.group or None,
            config=config,
            settings=wandb.Settings(silent=True),
        )
        self._run.define_metric("*", step_metric=STEP_AXIS)
        self.id: str = self._run.id
        offline = str(Path(self._run.dir).parent)
        self.where: str = (mode == "online" and self._run.url) or offline

    def log(self, fields: dict[str, Any], line: int) -> None:
        """Log the numbers of one line of metrics.jsonl, whose number is W&B's step.

        So steps that are taken again after an interruption are the same steps there, too.
        Training's have their own names; others', which must not share a curve with them, the kind
        in front: ``48k/loss`` and ``val/48k/loss``.
        """
        prefix = "" if fields["kind"] == "train" else f"{fields['kind']}/"
        numbers = {
            prefix + name: value for name, value in fields.items() if isinstance(value, int | float)
        }
        self._run.log(numbers | {STEP_AXIS: fields[STEP_AXIS]}, step=line)

    def summarise(self, fields: dict[str, Any]) -> None:
        """Set what the run's summary says."""
        self._run.summary.update(fields)

    def finish(self, *, failed: bool) -> None:
        """Have everything written or sent."""
        self._run.finish(exit_code=int(failed))
