"""The loop: stages, epochs, steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from accelerate import Accelerator
from torch.optim.lr_scheduler import LRScheduler

from snac_model.console import progress
from snac_model.errors import Failure
from snac_train.curriculum import Epoch, StageName, stage_steps
from snac_train.dataset import SegmentDataset, Utterances
from snac_train.loading import load_batches
from snac_train.objective import DualHeadObjective, Losses
from snac_train.optimization import (
    TRAINED,
    current_rates,
    freeze_all_but,
    make_optimizer,
    make_schedule,
    peak_rates,
)
from snac_train.recipe import Recipe
from snac_train.run_folder import BestModels, RunFolder
from snac_train.segments import Batch
from snac_train.slices import Draws, epoch_batches
from snac_train.tracker import Tracker
from snac_train.validation import Validator, check_finite


@dataclass(frozen=True)
class Stage:
    """What a stage steps with."""

    objective: torch.nn.Module
    optimizer: Any
    schedule: LRScheduler
    parameters: list[torch.nn.Parameter]


class Trainer:
    """Trains an objective through the epochs of a plan.

    Args:
        context: coarse tokens decoded on each side of a segment.
        workers: processes that read ahead; 0 reads in this one.
    """

    def __init__(
        self,
        recipe: Recipe,
        objective: DualHeadObjective,
        utterances: Utterances,
        *,
        context: int,
        validator: Validator,
        folder: RunFolder,
        accelerator: Accelerator,
        workers: int,
    ) -> None:
        self.recipe = recipe
        self.objective = objective
        self.model = objective.model
        self.utterances = utterances
        self.context = context
        self.validator = validator
        self.folder = folder
        self.accelerator = accelerator
        self.workers = workers
        self.best = BestModels(folder, recipe.checkpoint.best)
        self.tracker = Tracker(folder, self.model.geometry, recipe.tracking.log_every)
        self.baseline: dict[str, float] = {}

    def run(self, epochs: Sequence[Epoch]) -> None:
        """Measure the untouched model, then train and validate epoch by epoch.

        Raises:
            Failure: if a loss or gradient is not finite, or data cannot be used.
        """
        self.baseline = self.validator.baseline(self.objective)
        self._record_validation("baseline", self.baseline)
        for name, members in groupby(epochs, key=lambda epoch: epoch.stage):
            stage = self._begin_stage(name, stage_steps(epochs, name))
            for epoch in members:
                self._train_epoch(epoch, stage)
                self._validate()

    def _begin_stage(self, name: StageName, steps: int) -> Stage:
        settings = self.recipe.optimizer
        freeze_all_but(self.model, TRAINED[name])
        peaks = peak_rates(name, settings, self.recipe.schedule.peak_factor)
        optimizer = make_optimizer(self.model, peaks, settings)
        schedule = make_schedule(name, optimizer, steps, self.recipe.schedule)
        parameters = [weight for group in optimizer.param_groups for weight in group["params"]]
        objective, prepared = self.accelerator.prepare(self.objective, optimizer)
        rates = ", ".join(f"{group} at up to {rate:g}" for group, rate in peaks.items())
        self.folder.say(f"{name}: {steps} steps, training {rates}")
        return Stage(objective, prepared, schedule, parameters)

    def _train_epoch(self, epoch: Epoch, stage: Stage) -> None:
        seed = self.recipe.data.seed
        dataset = SegmentDataset(
            self.utterances,
            self.model.geometry,
            epoch.segment_tokens,
            self.context,
            Draws.for_epoch(seed, epoch.number),
        )
        batches = epoch_batches(seed, epoch.number, len(self.utterances), epoch.batch_size)
        self.tracker.begin_epoch(epoch)
        with progress(len(batches), f"epoch {epoch.number} ({epoch.stage})", "steps") as advance:
            for batch in load_batches(dataset, batches, self.workers, self.accelerator.device):
                loss = self._step(batch, stage)
                advance(1, loss=f"{loss:.4f}")
        self.tracker.end_epoch()

    def _step(self, batch: Batch, stage: Stage) -> float:
        """Take one step and return the batch's loss."""
        where = f"step {self.tracker.position.step + 1}"
        losses: Losses = stage.objective(batch)
        check_finite(losses, batch, where)
        loss = losses["loss"].mean()
        self.accelerator.backward(loss)
        norm = self.accelerator.clip_grad_norm_(stage.parameters, self.recipe.optimizer.clip)
        if norm is None or not norm.isfinite():
            named = ", ".join(batch.utterance_ids)
            raise Failure(f"the gradient is not finite in {where}, whose batch is {named}")
        figures = {"grad_norm": norm.item(), **current_rates(stage.optimizer)}
        stage.optimizer.step()
        stage.schedule.step()
        stage.optimizer.zero_grad()
        self.tracker.add_step(losses, figures)
        return loss.item()

    def _validate(self) -> None:
        """Validate after an epoch, and keep the model where it is the best so far."""
        losses = self.validator.validate(self.objective)
        self._record_validation("val", losses)
        position = self.tracker.position
        lowered = self.best.consider(self.model, losses, position.epoch, position.step)
        self.folder.update(epoch=position.epoch, step=position.step, best=self.best.scores)
        if lowered:
            self.folder.say(f"epoch {position.epoch} is the best so far: {', '.join(lowered)}")

    def _record_validation(self, kind: str, losses: dict[str, float]) -> None:
        validator = self.validator
        self.tracker.add_validation(
            kind, losses, validator.segments.segment_tokens, validator.batch_size
        )
        self.folder.update(**{kind: losses})
        self.folder.say(
            f"epoch {self.tracker.position.epoch}, {kind}: loss {losses['loss']:.4f}, "
            f"24 kHz {losses['24k/loss']:.4f}, 48 kHz {losses['48k/loss']:.4f}"
        )
