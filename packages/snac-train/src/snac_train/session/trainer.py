"""The loop: stages, epochs, steps, and when to save."""

from collections.abc import Iterator, Sequence
from itertools import groupby, islice

from snac_common.errors import Failure
from snac_common.progress import progress
from snac_train.data.dataset import SegmentDataset
from snac_train.data.inputs import Inputs
from snac_train.data.loading import load_batches
from snac_train.data.segments import Batch
from snac_train.data.slices import Draws, Piece, epoch_batches, pieces_of
from snac_train.distributed.processes import Processes
from snac_train.distributed.signals import STOPS, Requests
from snac_train.recipe.curriculum import Epoch, StageName, stage_steps
from snac_train.recipe.tables import Recipe
from snac_train.run.best_models import BestModels
from snac_train.run.checkpoints.checkpoint import Checkpoint
from snac_train.run.checkpoints.random_state import restore_random_state
from snac_train.run.checkpoints.saving import Saver
from snac_train.run.run_folder import RunFolder
from snac_train.run.tracker import Tracker
from snac_train.training.codebooks import CodebookKeeper
from snac_train.training.objective import Objective
from snac_train.training.stage import Stage, Step
from snac_train.training.validation import Validator, context_tokens


class Trainer:
    """Trains a model through the epochs of a plan.

    Args:
        workers: processes that read ahead; 0 reads in this one.
        skip_non_finite: steps whose loss or gradient is not finite that are left out, before one
            stops the run.
    """

    def __init__(
        self,
        recipe: Recipe,
        inputs: Inputs,
        *,
        validator: Validator,
        saver: Saver,
        folder: RunFolder,
        processes: Processes,
        requests: Requests,
        workers: int,
        skip_non_finite: int,
    ) -> None:
        self.recipe = recipe
        self.inputs = inputs
        self.model = inputs.model
        self.validator = validator
        self.saver = saver
        self.folder = folder
        self.processes = processes
        self.requests = requests
        self.workers = workers
        self.skip_non_finite = skip_non_finite
        self.skipped = 0
        self.objective = Objective(self.model, recipe).to(processes.device)  # outside of DDP
        self.best = BestModels(folder, recipe.checkpoint.best)
        self.tracker = Tracker(folder, self.model.geometry, recipe.tracking.log_every)
        self.restored: Checkpoint | None = None
        self.codebooks = CodebookKeeper(
            recipe,
            self.objective,
            first_epoch=recipe.curriculum.warmup_epochs + 1,
            sample=self._sample,
            processes=processes,
            log=folder.say,
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint."""
        self.model.load_state_dict(checkpoint.model)
        self.tracker.restore(checkpoint.state["tracker"])
        self.skipped = checkpoint.state["skipped"]
        self.saver.saved_step = self.tracker.position.step
        self.restored = checkpoint

    def run(self, epochs: Sequence[Epoch]) -> None:
        """Train and validate epoch by epoch, from where the run is.

        Raises:
            Failure: if a loss or gradient is not finite, or data cannot be used.
            KeyboardInterrupt, Terminated: if a signal asked to stop; a checkpoint is written then.
        """
        remaining = epochs[max(0, self.tracker.position.epoch - 1) :]
        for name, members in groupby(remaining, key=lambda epoch: epoch.stage):
            first_step = min(epoch.first_step for epoch in epochs if epoch.stage == name)
            self.stage = self._begin_stage(name, first_step, stage_steps(epochs, name))
            for epoch in members:
                self._train_epoch(epoch)
                self._save()
                self._validate()

    def _begin_stage(self, name: StageName, first_step: int, steps: int) -> Stage:
        optimizer_state = self.restored.optimizer if self.restored else None
        if self.restored:
            number = min(self.processes.number, len(self.restored.random) - 1)
            restore_random_state(self.restored.random[number])
        self.restored = None
        done = self.tracker.position.step - first_step
        stage = Stage(
            name,
            steps,
            self.model,
            self.recipe,
            self.processes,
            done=done,
            optimizer_state=optimizer_state,
        )
        rates = ", ".join(f"{group} at up to {rate:g}" for group, rate in stage.peaks.items())
        self.folder.say(f"{name}: {steps - done} of {steps} steps to do, training {rates}")
        return stage

    def _train_epoch(self, epoch: Epoch) -> None:
        """Take the steps of an epoch that have not been taken yet."""
        begun = self.tracker.position.epoch == epoch.number  # before it was saved and stopped
        self.tracker.begin_epoch(epoch)
        done = self.tracker.position.step - epoch.first_step
        if not begun:
            self.codebooks.before(epoch)
        batches = self._batches_of(epoch)[done:]
        label = f"epoch {epoch.number} ({epoch.stage})"
        with progress(len(batches), label, "steps", shown=self.processes.main) as advance:
            for pieces, samples in self._shares(epoch, batches):
                self._agree(pieces)
                loss = self._step(pieces, samples)
                advance(1, loss=f"{loss:.4f}")

    def _shares(
        self, epoch: Epoch, batches: list[list[int]]
    ) -> Iterator[tuple[list[tuple[Batch | Failure, Piece]], int]]:
        """Yield this process's share of each batch in pieces, and the size of the whole batch."""
        dataset = self._segments(epoch, Draws.for_epoch(self.recipe.data.seed, epoch.number))
        number, count = self.processes.number, self.processes.count
        pieces_at_once = self.recipe.optimizer.accumulate
        shares = [pieces_of(batch, number, count, pieces_at_once) for batch in batches]
        positions = [piece.positions for share in shares for piece in share]
        on_gpu = self.processes.device.type == "cuda"
        loaded = load_batches(dataset, positions, self.workers, pin=on_gpu)
        for share, batch in zip(shares, batches, strict=True):
            yield list(zip(islice(loaded, len(share)), share, strict=True)), len(batch)

    def _segments(self, epoch: Epoch, draws: Draws) -> SegmentDataset:
        return SegmentDataset(
            self.inputs.train,
            self.inputs.train_reference(self.recipe.augmentation, draws),
            self.model.geometry,
            segment_tokens=epoch.segment_tokens,
            context=context_tokens(self.model.geometry, self.recipe),
            draws=draws,
        )

    def _batches_of(self, epoch: Epoch) -> list[list[int]]:
        seed, utterances = self.recipe.data.seed, len(self.inputs.train)
        return epoch_batches(seed, epoch.number, utterances, epoch.batch_size)

    def _sample(self, epoch: Epoch, draws: Draws) -> Iterator[Batch | Failure]:
        """Yield segments of all training utterances by other draws than the epoch's own."""
        return load_batches(self._segments(epoch, draws), self._batches_of(epoch), self.workers)

    def _agree(self, pieces: list[tuple[Batch | Failure, Piece]]) -> None:
        """Do what any process was asked to do before the next step, all at once."""
        failures = [batch for batch, _ in pieces if isinstance(batch, Failure)]
        due = self.saver.is_due(self.tracker.position.step)
        wishes = [self.requests.stop, due, bool(failures)]
        stop, save, failed = self.processes.largest(wishes)
        if failed or stop or save:
            self._save()
        if failed:
            self.processes.fail_together(failures[0] if failures else None)
        if stop:
            raise STOPS[stop]

    def _step(self, pieces: list[tuple[Batch | Failure, Piece]], samples: int) -> float:
        """Take one step and return the batch's loss."""
        device = self.processes.device
        batches = [batch.to(device) for batch, _ in pieces if isinstance(batch, Batch)]
        step = self.stage.step(batches, pieces[0][1].counted, samples)
        if step.not_finite:
            self._skip_or_stop(step)
        self.tracker.add_step(step)
        return step.sums["loss"] / step.samples

    def _skip_or_stop(self, step: Step) -> None:
        """Tolerate a step that is not finite, or save what was before it and stop."""
        number = self.tracker.position.step + 1
        named = ", ".join(step.not_finite)
        if self.skipped == self.skip_non_finite:
            self._save()
            raise Failure(
                f"the loss or its gradient is not finite in step {number}, for {named}; no weight "
                "was changed by it. Look at these files, lower the learning rate, or go on with "
                f"--resume --skip-non-finite {self.skipped + 1}."
            )
        self.skipped += 1
        self.folder.say(f"step {number} is skipped: not finite for {named}")

    def _save(self) -> None:
        self.saver.save(self.model, self.stage, self.tracker, self.skipped)

    def _validate(self) -> None:
        """Validate after an epoch, and keep the model where it is the best so far."""
        losses = self.validator.validate(self.objective)
        position = self.tracker.position
        self.tracker.add_validation("val", losses, self.validator)
        lowered = self.best.consider(self.model, losses, position.epoch, position.step)
        self.folder.update(
            epoch=position.epoch, step=position.step, val=losses, best=self.best.scores
        )
        self.folder.say(f"epoch {position.epoch}, val: {in_words(losses)}")
        if lowered:
            self.folder.say(f"epoch {position.epoch} is the best so far: {', '.join(lowered)}")


def in_words(losses: dict[str, float]) -> str:
    """Say the loss, and that of each head."""
    heads = [f"{name} {losses[name]:.4f}" for name in ("24k/loss", "48k/loss") if name in losses]
    return ", ".join([f"loss {losses['loss']:.4f}", *heads])
