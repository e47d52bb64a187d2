"""A stage of a run: what it trains, and one step of it."""

import math
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from snac_common.errors import Failure
from snac_model.codec import SNAC
from snac_train.data.segments import Batch
from snac_train.distributed.processes import Processes
from snac_train.recipe.curriculum import StageName
from snac_train.recipe.tables import Recipe
from snac_train.training.metrics import Sums, all_finite, not_finite
from snac_train.training.objective import Losses, Objective
from snac_train.training.optimization import (
    current_rates,
    freeze_all_but,
    make_optimizer,
    make_schedule,
    parameter_groups,
    peak_rates,
)

# a step that is skipped moves the schedule all the same, so that it spans its stage
warnings.filterwarnings("ignore", r"Detected call of `lr_scheduler\.step\(\)` before")


@dataclass(frozen=True)
class Step:
    """What came of a step over the whole batch, every process's share of it.

    Attributes:
        sums: of each loss over the batch's items.
        samples: items in the batch.
        figures: the gradient's norm and each group's learning rate.
        not_finite: utterances whose loss is not finite, or all if only the gradient is not; if
            there are any, no weight was changed.
    """

    sums: dict[str, float]
    samples: int
    figures: dict[str, float]
    not_finite: list[str]


class Stage:
    """Trains the parameter groups of a stage of ``steps`` steps.

    Args:
        done: steps of the stage that an earlier process has taken.
        optimizer_state: what its optimizer held, if any were taken.

    Raises:
        Failure: if that is the state of another stage's optimizer.
    """

    def __init__(
        self,
        name: StageName,
        steps: int,
        model: SNAC,
        recipe: Recipe,
        processes: Processes,
        *,
        done: int = 0,
        optimizer_state: dict[str, Any] | None = None,
    ) -> None:
        groups = parameter_groups(model, recipe.model)
        self.peaks = peak_rates(name, groups, recipe)
        self.parameters = [weight for group in self.peaks for weight in groups[group]]
        freeze_all_but(model, self.parameters)
        self.processes = processes
        self.largest_norm = recipe.optimizer.clip or math.inf
        quantized = not (name == "warmup" and recipe.model.weights == "random")
        precision = recipe.optimizer.precision
        self.objective = processes.wrap(
            Objective(model, recipe, quantized=quantized, precision=precision)
        )
        self.optimizer = make_optimizer(groups, self.peaks, recipe.optimizer)
        self.schedule = make_schedule(name, self.optimizer, steps, recipe.schedule)
        if optimizer_state is not None:
            self._restore(optimizer_state, name)
            self.schedule.last_epoch = done

    def _restore(self, state: dict[str, Any], name: StageName) -> None:
        saved = [group["name"] for group in state["param_groups"]]
        if saved != list(self.peaks):
            raise Failure(
                f"the checkpoint was saved while {', '.join(saved)} were trained, but there the "
                f"recipe now has the {name} stage, which trains {', '.join(self.peaks)}. Stages "
                "can be moved only from where both have the same: leave curriculum.warmup_epochs "
                "as it was, or go on from an earlier checkpoint."
            )
        self.optimizer.load_state_dict(state)

    def step(self, batches: Sequence[Batch], counted: bool, samples: int) -> Step:
        """Take one step on this process's share of a batch of ``samples`` items.

        Args:
            batches: the pieces of the share.
            counted: whether their losses count.
        """
        losses = [
            self._backward(batch, counted, samples, last=number == len(batches))
            for number, batch in enumerate(batches, start=1)
        ]
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.largest_norm)
        totals = Sums(self.processes.device)
        for part in losses:
            totals.add(part, counted=counted)
        sums, _ = totals.over(self.processes)
        figures = {"grad_norm": norm.item(), **current_rates(self.optimizer)}
        fine = all_finite(sums) and math.isfinite(figures["grad_norm"])
        if fine:
            self.optimizer.step()
        self.optimizer.zero_grad()
        self.schedule.step()
        return Step(sums, samples, figures, [] if fine else self._to_blame(batches, losses))

    def _backward(self, batch: Batch, counted: bool, samples: int, *, last: bool) -> Losses:
        """Add a piece's gradient to what the whole batch's mean loss has."""
        accelerator = self.processes.accelerator
        with nullcontext() if last else accelerator.no_sync(self.objective):
            losses = self.objective(batch)
            mean = losses["loss"].sum() * (counted * self.processes.count / samples)
            mean.backward()
        return losses

    def _to_blame(self, batches: Sequence[Batch], losses: Sequence[Losses]) -> list[str]:
        pairs = list(zip(losses, batches, strict=True))
        own = [name for part, batch in pairs for name in not_finite(part, batch)]
        everybody = [name for _, batch in pairs for name in batch.utterance_ids]
        return sorted({*self.processes.gather(own)} or {*self.processes.gather(everybody)})
