"""What the untouched model achieves, and how much better the best one is."""

from collections.abc import Callable

from snac_common.artifacts import BEST_FOLDERS
from snac_model.loading import load
from snac_train.data.inputs import Inputs
from snac_train.data.unchanged_audio import check_unchanged
from snac_train.recipe.tables import Recipe
from snac_train.run.run_folder import RunFolder
from snac_train.session.trainer import Trainer, in_words
from snac_train.training.alignment import check_alignment
from snac_train.training.objective import Objective
from snac_train.training.validation import Validators


def improvement(before: float, after: float) -> float:
    """Return by how many percent a loss has fallen."""
    return round(100 * (1 - after / before), 2)


class Measures:
    """Baselines before the first epoch, and the same measurements at the end."""

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
        """Measure the untouched model, and its 24 kHz output resampled for a 48 kHz head."""
        validator, trainer = self.trainer.validator, self.trainer
        losses = validator.validate(trainer.objective)
        base = self.inputs.base_model
        if "48k" in self.recipe.model.heads and 24_000 in base.geometry.output_rates:
            objective = Objective(base, self.recipe).to(trainer.processes.device)
            losses |= validator.resampled(objective, trainer.objective)
        trainer.tracker.add_validation("baseline", losses, validator)
        self.folder.update(baseline=losses)
        self.folder.log(f"before training: {in_words(losses)}")
        if self.recipe.validation.curriculum:
            self.folder.update(before=self._at_each_length("before training"))

    def after(self) -> None:
        """Measure the best model with each of the curriculum's segment lengths."""
        if not self.recipe.validation.curriculum:
            return
        if kept := self.recipe.checkpoint.best:
            best = load(self.folder.path / BEST_FOLDERS[kept[0]])
            self.inputs.model.load_state_dict(best.state_dict())
        after = self._at_each_length("the best model")
        if before := self.folder.state.get("before"):
            self.folder.update(
                after=after,
                improvement_percent_at={
                    length: improvement(before[length], loss) for length, loss in after.items()
                },
            )

    def _at_each_length(self, whose: str) -> dict[str, float]:
        """Return the loss with segments of each length, in seconds."""
        measured: dict[str, float] = {}
        for seconds in sorted(set(self.recipe.curriculum.segment_s)):
            validator = self.validators.of(seconds)
            losses = validator.validate(self.trainer.objective)
            self.trainer.tracker.add_validation("length", losses, validator)
            self.folder.log(f"{whose}, segments of {seconds:g} s: {in_words(losses)}")
            measured[f"{seconds:g}"] = losses["loss"]
        return measured
