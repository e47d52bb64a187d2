"""The loop: stages, epochs, steps, and when to save."""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby, islice

import numpy as np

from snac_common.console import note
from snac_common.devices import give_back_freed_memory
from snac_common.errors import Failure
from snac_common.progress import progress
from snac_train.data.inputs import Inputs
from snac_train.data.loading import Readers
from snac_train.data.reading import Segments
from snac_train.data.segments import Batch
from snac_train.data.slices import Draws, epoch_batches, micro_batches
from snac_train.distributed.processes import Processes
from snac_train.distributed.signals import Requests
from snac_train.recipe.curriculum import Epoch, StageName
from snac_train.recipe.imitation import imitates
from snac_train.recipe.tables import Recipe
from snac_train.run.best_models import BestModels
from snac_train.run.checkpoints.checkpoint import Checkpoint
from snac_train.run.checkpoints.random_state import restore_random_state
from snac_train.run.checkpoints.saving import Saver
from snac_train.run.rejects import Rejects
from snac_train.run.run_folder import RunFolder
from snac_train.run.tracker import Tracker
from snac_train.session.pieces import Pieces
from snac_train.session.plan import Remaining, remaining_of
from snac_train.session.share import Share
from snac_train.session.steps_ahead import StepsAhead
from snac_train.training.adversary import Scores
from snac_train.training.average import MovingAverage
from snac_train.training.codebooks import CodebookKeeper
from snac_train.training.compilation import graphs_compiled
from snac_train.training.discriminators import make_discriminators, restore_discriminators
from snac_train.training.objective import Objective
from snac_train.training.stage import Stage
from snac_train.training.trained import Trained
from snac_train.training.validation import Validator

AVERAGE, DISCRIMINATORS = "average", "discriminators"  # modules that a checkpoint keeps


class Trainer:
    """Trains a model through the epochs of a plan.

    Args:
        may_skip: steps whose loss or gradient is not finite that are left out, before one stops
            the run.
    """

    def __init__(
        self,
        recipe: Recipe,
        inputs: Inputs,
        *,
        validator: Validator,
        readers: Readers,
        rejects: Rejects,
        saver: Saver,
        folder: RunFolder,
        processes: Processes,
        requests: Requests,
        may_skip: int,
    ) -> None:
        self.recipe = recipe
        self.inputs = inputs
        self.model = inputs.model
        self.validator = validator
        self.readers = readers
        self.rejects = rejects
        self.saver = saver
        self.folder = folder
        self.processes = processes
        self.may_skip = may_skip
        self.discriminators = make_discriminators(recipe)
        self.average: MovingAverage | None = None
        if recipe.optimizer.average:
            self.average = MovingAverage(self.model, recipe.optimizer.average)
        self.kept_model = self.average.model if self.average else self.model
        self.scores: Scores | None = None
        if self.discriminators is not None:
            self.scores = Scores(self.discriminators.to(processes.device))
        self.objective = Objective(
            self.kept_model, recipe, adversary=self.scores, teacher=inputs.teacher
        ).to(processes.device)
        if recipe.curriculum.warmup_epochs:
            self._judge_in("warmup")
        self.best = BestModels(folder, recipe.checkpoint.best)
        self.tracker = Tracker(folder, self.model.geometry, recipe.tracking.log_every)
        self.steps = StepsAhead(
            processes, requests, saver, self.tracker, rejects, log=folder.log, save=self._save
        )
        self.restored: Checkpoint | None = None
        self._stages: list[tuple[StageName, list[Remaining]]] = []
        self.codebooks = CodebookKeeper(
            recipe,
            Objective(self.model, recipe).to(processes.device),  # outside of DDP
            first_epoch=recipe.curriculum.warmup_epochs + 1,
            sample=self._sample,
            processes=processes,
            log=folder.log,
        )
        self.pieces = Pieces(
            recipe.optimizer.accumulate, self._silence, processes=processes, log=folder.log
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint."""
        try:
            self.model.load_state_dict(checkpoint.model)
        except RuntimeError as error:
            raise Failure(
                "the checkpoint holds a model of another shape than this recipe's: a run goes on "
                "with the layers that it has. Start a new run for others."
            ) from error
        if self.average:
            self.average.restore(checkpoint.modules.get(AVERAGE, checkpoint.model))
        if self.discriminators is not None and DISCRIMINATORS in checkpoint.modules:
            restore_discriminators(self.discriminators, checkpoint.modules[DISCRIMINATORS])
        self.tracker.restore(checkpoint.state["tracker"])
        self.rejects.restore(checkpoint.state["rejects"])
        self.pieces.restore(checkpoint.state["pieces"])
        self.steps.skipped = checkpoint.state["skipped"]
        self.saver.saved_step = self.tracker.position.step
        self.restored = checkpoint

    def plan(self, epochs: Sequence[Epoch]) -> None:
        """Find what is left of a plan, and how much of it fits into memory at once.

        For every stage, before the first step: what does not fit is known at once.

        Raises:
            Failure: if the plan does not go on from where the run is, or cannot fit.
        """
        if self.processes.is_main:
            note("estimating how much memory a step needs")
        state = self.restored.state if self.restored else None
        remaining = remaining_of(epochs, self.tracker.position, state)
        for name, members in groupby(remaining, key=lambda part: part.epoch.stage):
            parts = list(members)
            trained = Trained.of(
                name, self.model, self.recipe, self.discriminators, self.inputs.teacher
            )
            trained.objective.to(self.processes.device)
            self.pieces.choose(trained, [part.epoch for part in parts if part.steps])
            self._stages.append((name, parts))

    def run(self) -> None:
        """Train and validate epoch by epoch what was planned.

        Raises:
            Failure: if a loss or gradient is not finite, or data cannot be used.
            KeyboardInterrupt, Terminated: if a signal asked to stop; a checkpoint is written then.
        """
        for name, parts in self._stages:
            self.stage = self._begin_stage(name, parts)
            for part in parts:
                self._train_epoch(part)
                if self.recipe.model.compile and part is parts[0]:
                    self.folder.log(f"{name}: torch has compiled {graphs_compiled()} graphs")
                self._save()
                self.rejects.judge_epoch()
                self._validate()
            self.processes.unwrap_all()

    def _begin_stage(self, name: StageName, parts: Sequence[Remaining]) -> Stage:
        self._judge_in(name)
        checkpoint, self.restored = self.restored, None
        position = self.tracker.position
        goes_on = checkpoint is not None and position.stage == name
        done = position.stage_step if goes_on else 0
        steps = done + sum(part.steps for part in parts)
        if checkpoint:
            rank = min(self.processes.rank, len(checkpoint.random) - 1)
            restore_random_state(checkpoint.random[rank])
        stage = Stage(
            name,
            steps,
            self.model,
            self.recipe,
            self.processes,
            discriminators=self.discriminators,
            teacher=self.inputs.teacher,
            average=self.average,
            done=done,
            state=checkpoint.players if checkpoint and goes_on else None,
            may_skip=self.may_skip - self.steps.skipped,
        )
        peaks = stage.trained.peaks.items()
        rates = ", ".join(f"{group} at up to {rate:g}" for group, rate in peaks)
        self.folder.log(f"{name}: {steps - done} of {steps} steps to do, training {rates}")
        if checkpoint and goes_on and checkpoint.state["stage_steps"] != steps:
            self._say_that_plan_changed(checkpoint.state["stage_steps"], stage)
        return stage

    def _judge_in(self, stage: StageName) -> None:
        """Have validation ask the discriminators, unless the stage leaves them at random."""
        self.objective.adversary = None if imitates(self.recipe, stage) else self.scores

    def _say_that_plan_changed(self, steps: int, stage: Stage) -> None:
        now = ", ".join(f"{name} {rate:.3g}" for name, rate in stage.decoder.rates().items())
        self.folder.log(
            f"{stage.name} was planned with {steps} steps and has {stage.steps} now: its rates are "
            f"those that the new plan has at this step, {now}"
        )

    def _train_epoch(self, part: Remaining) -> None:
        """Take the steps of an epoch that have not been taken yet."""
        epoch = part.epoch
        begun = self.tracker.position.epoch == epoch.number  # before it was saved and stopped
        self.tracker.begin_epoch(epoch)
        if not begun:
            self.rejects.begin_epoch()
            self.codebooks.before(epoch)
        if not part.steps:
            return
        if self.processes.device.type == "cpu":
            give_back_freed_memory()  # of validation's sizes, and of an epoch's of other segments
        batches = self._batches_of(epoch)[-part.steps :]
        label = f"epoch {epoch.number} of {self.recipe.curriculum.epochs} ({epoch.stage})"
        with progress(len(batches), label, "steps", shown=self.processes.is_main) as advance:
            self.steps.take(self.stage, self._shares(epoch, batches), advance)

    def _shares(self, epoch: Epoch, batches: list[np.ndarray]) -> Iterator[Share]:
        """Yield this rank's share of each batch."""
        segments = self._segments(epoch, Draws.for_epoch(self.recipe.data.seed, epoch.number))
        rank, world_size = self.processes.rank, self.processes.world_size
        pieces = self.pieces.of(epoch)
        shares = [micro_batches(batch, rank, world_size, pieces) for batch in batches]
        positions = [micro_batch.positions for share in shares for micro_batch in share]
        loaded = self.readers.read(segments, positions)
        silence = partial(self._silence, epoch.segment_tokens)
        for micro, batch in zip(shares, batches, strict=True):
            before = time.monotonic()
            read = list(islice(loaded, len(micro)))
            self.tracker.waited_for_data(time.monotonic() - before)
            yield Share.of(read, micro, len(batch), silence)

    def _silence(self, segment_tokens: int) -> Batch:
        """Return a batch of one silent segment."""
        draws = Draws.for_epoch(self.recipe.data.seed, 0)
        return self.readers.source.dataset(Segments("train", segment_tokens, draws)).silence()

    def _segments(self, epoch: Epoch, draws: Draws) -> Segments:
        return Segments("train", epoch.segment_tokens, draws)

    def _batches_of(self, epoch: Epoch) -> list[np.ndarray]:
        seed, utterances = self.recipe.data.seed, len(self.inputs.train)
        return epoch_batches(seed, epoch.number, utterances, epoch.batch_size)

    def _sample(self, epoch: Epoch, draws: Draws) -> Iterator[Batch | Failure]:
        """Yield segments of all training utterances by other draws than the epoch's own."""
        return self.readers.read(self._segments(epoch, draws), self._batches_of(epoch))

    def _save(self) -> None:
        modules = {}
        if self.average:
            modules[AVERAGE] = self.average.state()
        if self.discriminators is not None:
            modules[DISCRIMINATORS] = self.discriminators.state_dict()
        self.saver.save(
            self.model,
            modules,
            self.stage,
            self.tracker,
            {
                "rejects": self.rejects.state(),
                "pieces": self.pieces.state(),
                "skipped": self.steps.skipped,
            },
        )

    def _validate(self) -> None:
        """Validate after an epoch, and keep the model where it is the best so far."""
        losses = self.validator.validate(self.objective)
        position = self.tracker.position
        self.tracker.add_validation("val", losses, self.validator)
        lowered = []
        if self.stage.decoder.has_moved(self.stage.taken):  # or it is the starting model
            lowered = self._keep_best(losses)
        self.processes.wait()  # until it can be read by all
        self.folder.update(
            epoch=position.epoch, step=position.step, val=losses, best=self.best.scores
        )
        self.folder.log(f"epoch {position.epoch}, val: {in_words(losses)}")
        if lowered:
            self.folder.log(f"epoch {position.epoch} is the best so far: {', '.join(lowered)}")

    def _keep_best(self, losses: dict[str, float]) -> list[str]:
        position = self.tracker.position
        return self.best.consider(
            self.kept_model, losses, position.epoch, position.step, self.discriminators
        )


def in_words(losses: dict[str, float]) -> str:
    """Say the loss, and that of each head."""
    heads = [f"{name} {losses[name]:.4f}" for name in ("24k/loss", "48k/loss") if name in losses]
    return ", ".join([f"loss {losses['loss']:.4f}", *heads])
