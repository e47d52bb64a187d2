"""What the starting model achieves, and how much better the best one is."""

from collections.abc import Callable, Iterator

from snac_common.artifacts import BEST_FOLDERS
from snac_model.codec.loading import load
from snac_train.data.inputs import Inputs
from snac_train.data.unchanged_audio import check_unchanged
from snac_train.recipe.heads import judged_heads
from snac_train.recipe.tables import Recipe
from snac_train.run.run_folder import RunFolder
from snac_train.session.trainer import Trainer, in_words
from snac_train.session.yardstick import NEW_HEAD, improvement, to_beat, warnings_of
from snac_train.training.alignment import check_alignment
from snac_train.training.objective import Objective
from snac_train.training.validation import Validator, Validators

MUCH_WORSE = 10  # percent; what discriminators may cost of a loss


class Measures:
    """Measures the starting model before the first epoch, and the best one at the end."""

    def __init__(
        self,
        recipe: Recipe,
        inputs: Inputs,
        validators: Validators,
        trainer: Trainer,
        folder: RunFolder,
    ) -> None:
        self.recipe = recipe
        self.inputs = inputs
        self.validators = validators
        self.trainer = trainer
        self.folder = folder

    def unchanged(self) -> None:
        """See that the audio is what was encoded; raises Failure in every process if not."""
        self._prove(lambda: check_unchanged(self.inputs))

    def aligned(self) -> None:
        """Say that cached codes and references sound at the same time.

        Raises:
            Failure: in every process, if they do not.
        """

        def check() -> None:
            found = check_alignment(self.recipe, self.inputs, self.trainer.validator.dataset)
            self.folder.log(f"codes and audio: {found}")

        self._prove(check)

    def _prove(self, check: Callable[[], None]) -> None:
        """Check cached codes in the main process, and fail in all."""
        if self.inputs.cache:
            self.trainer.processes.on_main(check)

    def before(self) -> None:
        """Measure the starting model, and where it lacks a 48 kHz head its output resampled."""
        losses = self._starting(self.trainer.validator)
        self.trainer.tracker.add_validation("baseline", losses, self.trainer.validator)
        self.folder.update(baseline=losses)
        self.folder.log(f"starting model: {_start_in_words(losses)}")
        if self.recipe.validation.curriculum:
            self.folder.update(before=self._before_at_each_length())

    def _starting(self, validator: Validator) -> dict[str, float]:
        """Return the starting model's losses, ``resampled/...`` among them.

        Where a new decoder imitates a teacher, the teacher's.
        """
        trainer, base = self.trainer, self.inputs.base_model
        if self.inputs.teacher:
            return validator.taught(trainer.objective)
        losses = validator.validate(trainer.objective)
        rates = base.geometry.output_rates
        if "48k" in self.recipe.model.heads and 24_000 in rates and 48_000 not in rates:
            objective = Objective(base, self.recipe).to(trainer.processes.device)
            losses |= validator.resampled(objective, trainer.objective)
        return losses

    def warn(self, percent: dict[str, float], best: dict[str, float]) -> None:
        """Say which best scores are worse than what there is without training."""
        start = self.folder.state.get("baseline") or {}
        if judged_heads(self.recipe):  # which exchange some fidelity for realism
            percent = {name: value for name, value in percent.items() if value < -MUCH_WORSE}
        said = list(warnings_of(percent, best, start, self.recipe.loss.weight_48k))
        for warning in said:
            self.folder.log(f"warning: {warning}")
        self.folder.update(warnings=said)

    def after(self) -> None:
        """Measure the best model with each of the curriculum's segment lengths."""
        if not self.recipe.validation.curriculum:
            return
        if kept := self.recipe.checkpoint.best:
            best = load(self.folder.path / BEST_FOLDERS[kept[0]])
            self.trainer.kept_model.load_state_dict(best.state_dict())
        after = self._after_at_each_length()
        if before := self.folder.state.get("before"):
            self.folder.update(
                after=after,
                improvement_percent_at={
                    length: improvement(before[length], loss) for length, loss in after.items()
                },
            )

    def _before_at_each_length(self) -> dict[str, float]:
        """Return the loss to beat with segments of each length, in seconds."""
        measured: dict[str, float] = {}
        for length, validator in self._lengths():
            losses = self._starting(validator)
            self.trainer.tracker.add_validation("length", losses, validator)
            self.folder.log(f"starting model, segments of {length} s: {_start_in_words(losses)}")
            measured[length] = to_beat(losses, self.recipe.loss.weight_48k)["loss"]
        return measured

    def _after_at_each_length(self) -> dict[str, float]:
        """Return the best model's loss with segments of each length, in seconds."""
        measured: dict[str, float] = {}
        for length, validator in self._lengths():
            losses = validator.validate(self.trainer.objective)
            self.trainer.tracker.add_validation("length", losses, validator)
            self.folder.log(f"the best model, segments of {length} s: {in_words(losses)}")
            measured[length] = losses["loss"]
        return measured

    def _lengths(self) -> Iterator[tuple[str, Validator]]:
        for seconds in sorted(set(self.recipe.curriculum.segment_s)):
            yield f"{seconds:g}", self.validators.of(seconds)


def _start_in_words(losses: dict[str, float]) -> str:
    """Say the starting model's losses, and that of its output resampled."""
    resampled = f", resampled 48k/loss {losses[NEW_HEAD]:.4f}" if NEW_HEAD in losses else ""
    return in_words(losses) + resampled
