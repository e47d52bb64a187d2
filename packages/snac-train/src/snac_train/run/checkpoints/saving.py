"""When a checkpoint is written, and what is in it."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch

from snac_model.codec.snac import SNAC
from snac_train.distributed.processes import Processes
from snac_train.distributed.signals import Requests
from snac_train.recipe.tables import Recipe
from snac_train.run.checkpoints.checkpoint import Checkpoint
from snac_train.run.checkpoints.random_state import random_state
from snac_train.run.checkpoints.rotation import Checkpoints
from snac_train.run.run_folder import RunFolder
from snac_train.run.tracker import Tracker
from snac_train.training.stage import Stage


class Saver:
    """Writes checkpoints of a run as it is between two steps.

    Args:
        facts: what must be the same when the run is resumed, besides the recipe.
    """

    def __init__(
        self,
        recipe: Recipe,
        facts: dict[str, Any],
        folder: RunFolder,
        processes: Processes,
        requests: Requests,
    ) -> None:
        self.recipe = recipe
        self.facts = facts
        self.folder = folder
        self.processes = processes
        self.requests = requests
        self.checkpoints = Checkpoints(folder.path / "checkpoints", recipe.checkpoint.keep)
        self.saved_at = time.monotonic()
        self.saved_step: int | None = None

    def is_due(self) -> bool:
        """Say whether a signal or the clock asks this process for a checkpoint."""
        every = self.recipe.checkpoint.every_minutes
        minutes = (time.monotonic() - self.saved_at) / 60
        return self.requests.save or (self.processes.is_main and 0 < every <= minutes)

    def is_due_after(self, step: int) -> bool:
        """Say whether the recipe wants a checkpoint after this step."""
        every = self.recipe.checkpoint.every_steps
        return every > 0 and step > 0 and step % every == 0

    def _kept_epoch(self, tracker: Tracker) -> int | None:
        """Return the number of an epoch that ends here and is to be kept."""
        ended = tracker.position.epoch_step == tracker.epoch.steps
        return tracker.position.epoch if ended and self.recipe.checkpoint.keep_epochs else None

    def save(
        self,
        model: SNAC,
        modules: Mapping[str, Mapping[str, torch.Tensor]],
        stage: Stage,
        tracker: Tracker,
        beside: Mapping[str, Any],
    ) -> None:
        """Write a checkpoint, unless this step has one; return in all ranks when it is there.

        Args:
            modules: weights that are kept beside the model's, by the modules' names.
            beside: what else is kept in the state.
        """
        step = tracker.position.step
        if step != self.saved_step:
            random = self.processes.gather([random_state()])
            if self.processes.is_main:
                state = {
                    "facts": self.facts,
                    "recipe": asdict(self.recipe),
                    "tracker": tracker.state(),
                    "epoch": asdict(tracker.epoch),
                    "stage_steps": stage.steps,
                    "metrics_bytes": self.folder.metrics.flushed(),
                    **beside,
                }
                checkpoint = Checkpoint(
                    model=model.state_dict(),
                    config=model.config.to_dict(),
                    modules={name: dict(weights) for name, weights in modules.items()},
                    players=stage.state(),
                    random=random,
                    state=state,
                )
                path = self.checkpoints.save(step, checkpoint, self._kept_epoch(tracker))
                self.folder.log(f"saved {path}")
                self.folder.copy_up()
            self.processes.wait()  # who ends first would have the others ended too
        self.requests.save = False
        self.saved_at, self.saved_step = time.monotonic(), step
