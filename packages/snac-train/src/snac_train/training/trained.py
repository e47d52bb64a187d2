"""What a stage trains of a model, and of what memory its steps need."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import nn

from snac_model.codec.snac import SNAC
from snac_model.discriminators import Discriminators
from snac_train.data.segments import Batch
from snac_train.recipe.curriculum import StageName
from snac_train.recipe.imitation import imitates
from snac_train.recipe.tables import Recipe
from snac_train.training.adversary import DiscriminatorObjective, Losses, Opponent
from snac_train.training.arithmetic import tf32
from snac_train.training.objective import Objective
from snac_train.training.optimization import freeze_all_but, parameter_groups, peak_rates
from snac_train.training.step_memory import StepMemory, larger, measure_step


@dataclass(frozen=True)
class Trained:
    """What a stage trains of a model.

    Attributes:
        groups: every group of the model's parameters, by name.
        peaks: the highest rate of each group that this stage trains.
        objective: what is minimised, not yet shared by processes.
        opponent: the discriminators that the decoder meets in this stage.
        judging: what those minimise.
    """

    groups: dict[str, list[nn.Parameter]]
    peaks: dict[str, float]
    objective: Objective
    allows_tf32: bool
    opponent: Opponent | None = None
    judging: DiscriminatorObjective | None = None

    @classmethod
    def of(
        cls,
        name: StageName,
        model: SNAC,
        recipe: Recipe,
        discriminators: Discriminators | None = None,
        teacher: SNAC | None = None,
    ) -> Self:
        """Have gradients computed for what a stage trains, and for nothing else.

        Args:
            discriminators: of the run, which take part in the main stage.
            teacher: of the run, which a warm-up imitates.
        """
        groups = parameter_groups(model, recipe.model)
        precision = recipe.optimizer.precision
        quantized = not (name == "warmup" and recipe.model.weights == "random")
        opponent = judging = None
        if discriminators is not None and name == "main":
            opponent = Opponent(discriminators, recipe.adversarial)
            judging = DiscriminatorObjective(discriminators)
        imitation = imitates(recipe, name)
        objective = Objective(
            model,
            recipe,
            adversary=opponent,
            teacher=teacher if imitation else None,
            imitates=imitation,
            quantized=quantized,
            precision=precision,
        )
        trained = cls(
            groups,
            peak_rates(name, groups, recipe),
            objective,
            precision == "tf32",
            opponent,
            judging,
        )
        freeze_all_but(model, trained.parameters)
        return trained

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What the stage trains of the model."""
        return [weight for group in self.peaks for weight in self.groups[group]]

    def memory(self, silence: Callable[[int], Batch]) -> StepMemory:
        """Measure what a step needs: the more of what either turn does.

        Args:
            silence: returns a batch of one segment of so many coarse tokens.
        """
        with tf32(self.allows_tf32):
            memory = measure_step(self.objective, self.parameters, silence)
            if self.judging is not None:
                weights = list(self.judging.parameters())
                memory = larger(memory, measure_step(self._discriminators_turn, weights, silence))
        return memory

    def rehearse(self, batch: Batch) -> None:
        """Run a batch forward and backward, for the memory that it takes, and forget it."""
        try:
            with tf32(self.allows_tf32):
                minimised(self.objective(batch)).sum().backward()
                if self.judging is not None:
                    losses = self._discriminators_turn(batch)
                    discriminators_loss(losses).sum().backward()
        finally:
            trained = [*self.parameters, *(self.judging.parameters() if self.judging else ())]
            for weight in trained:
                weight.grad = None
            if batch.audio.device.type == "cuda":
                torch.cuda.empty_cache()

    def _discriminators_turn(self, batch: Batch) -> Losses:
        assert self.opponent is not None
        assert self.judging is not None
        with torch.no_grad():
            self.objective(batch)
        return self.judging(self.opponent.take())


def minimised(losses: Losses) -> torch.Tensor:
    """Return what the decoder minimises of a micro-batch's losses, ``[B]``."""
    if "adversarial" in losses:
        return losses["loss"] + losses["adversarial"]
    return losses["loss"]


def discriminators_loss(losses: Losses) -> torch.Tensor:
    """Return what the discriminators minimise of all heads together, ``[B]``."""
    return torch.stack([losses[name] for name in losses if name.endswith("/discriminators")]).sum(0)
