"""A stage of a run: what it trains, and one step of it."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import nn

from snac_model.codec import SNAC
from snac_train.data.segments import Batch
from snac_train.distributed.processes import Processes
from snac_train.recipe.curriculum import StageName
from snac_train.recipe.tables import Recipe
from snac_train.training.arithmetic import tf32
from snac_train.training.metrics import Blame, LossSums, OnItsWay
from snac_train.training.objective import Losses, Objective
from snac_train.training.optimization import (
    freeze_all_but,
    make_optimizer,
    make_schedule,
    parameter_groups,
    peak_rates,
)
from snac_train.training.player import Player

DECODER = "decoder"


@dataclass(frozen=True)
class Step:
    """What came of a step over the whole batch, every process's share of it.

    Attributes:
        sums: of each loss over the batch's items.
        samples: items in the batch.
        figures: the gradient's norm and each group's learning rate.
        wishes: what the processes asked for beside it, each summed over them.
        skipped: whether no weight was changed, as a loss or the gradient was not finite.
        halted: whether that was once too often, or a process could not read its share: neither
            this step nor a later one has changed anything.
    """

    sums: dict[str, float]
    samples: int
    figures: dict[str, float]
    wishes: list[int]
    skipped: bool = False
    halted: bool = False


@dataclass(frozen=True)
class PendingStep:
    """A step that was asked of the device; its figures may be read when the next one has been."""

    names: list[str]
    vector: OnItsWay
    rates: dict[str, float]
    samples: int
    blame: Blame

    def read(self) -> Step:
        """Wait for the step and return what came of it."""
        norm, skipped, halted, *values = self.vector.read()
        sums = dict(zip(self.names, values, strict=False))
        return Step(
            sums,
            self.samples,
            {"grad_norm": norm, **self.rates},
            [round(value) for value in values[len(self.names) :]],
            skipped=bool(skipped),
            halted=bool(halted),
        )


@dataclass(frozen=True)
class Trained:
    """What a stage trains of a model.

    Attributes:
        groups: every group of parameters, by name.
        peaks: the highest rate of each group that this stage trains.
        objective: what is minimised, not yet shared by processes.
    """

    groups: dict[str, list[nn.Parameter]]
    peaks: dict[str, float]
    objective: Objective
    allows_tf32: bool

    @classmethod
    def of(cls, name: StageName, model: SNAC, recipe: Recipe) -> Self:
        """Have gradients computed for what a stage trains, and for nothing else."""
        groups = parameter_groups(model, recipe.model)
        precision = recipe.optimizer.precision
        quantized = not (name == "warmup" and recipe.model.weights == "random")
        trained = cls(
            groups,
            peak_rates(name, groups, recipe),
            Objective(model, recipe, quantized=quantized, precision=precision),
            precision == "tf32",
        )
        freeze_all_but(model, trained.parameters)
        return trained

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What the stage trains."""
        return [weight for group in self.peaks for weight in self.groups[group]]

    def rehearse(self, batch: Batch) -> None:
        """Run a batch forward and backward, for the memory that it takes, and forget it."""
        try:
            with tf32(self.allows_tf32):
                self.objective(batch)["loss"].sum().backward()
        finally:
            for weight in self.parameters:
                weight.grad = None
            if batch.audio.device.type == "cuda":
                torch.cuda.empty_cache()


class Stage:
    """Trains the parameter groups of a stage of ``steps`` steps.

    Args:
        done: steps of the stage that an earlier process has taken.
        state: of each player by name, if any steps were taken.
        may_skip: steps that are not finite that may be left out before the stage halts.

    Raises:
        Failure: if that is the state of another stage's players.
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
        state: Mapping[str, Mapping[str, Any]] | None = None,
        may_skip: int = 0,
    ) -> None:
        self.name = name
        self.steps = steps
        trained = Trained.of(name, model, recipe)
        self.peaks = trained.peaks
        self.processes = processes
        self.allows_tf32 = trained.allows_tf32
        optimizer = make_optimizer(trained.groups, self.peaks, recipe.optimizer)
        self.decoder = Player(
            DECODER,
            trained.objective,
            trained.parameters,
            optimizer,
            make_schedule(name, optimizer, steps, recipe.schedule),
            processes=processes,
            clip=recipe.optimizer.clip,
        )
        self.players = {DECODER: self.decoder}
        if state is not None:
            for player in self.players.values():
                player.restore(state[player.name], done)
        self._may_skip = may_skip
        self._skipped = torch.zeros((), device=processes.device)
        self._halted = torch.zeros((), device=processes.device)

    def state(self) -> dict[str, dict[str, Any]]:
        """Return what a checkpoint keeps of each player."""
        return {name: player.state() for name, player in self.players.items()}

    def step(
        self,
        batches: Sequence[Batch],
        counted: bool,
        samples: int,
        wishes: Sequence[int] = (),
        *,
        cannot: bool = False,
    ) -> PendingStep:
        """Take one step on this process's share of a batch of ``samples`` items.

        Nothing here waits for the device.

        Args:
            batches: the micro-batches of the share.
            counted: whether their losses count.
            wishes: numbers that come back summed over the processes.
            cannot: whether this process has no share, so that the stage must halt.
        """
        totals, blame = LossSums(self.processes.device), Blame()
        with tf32(self.allows_tf32):
            for number, batch in enumerate(batches, start=1):
                losses = self._backward(batch, counted, samples, last=number == len(batches))
                totals.add(losses, counted=counted)
                blame.add(losses, batch)
        norm = self.decoder.clip()
        extra = torch.tensor([*wishes, int(cannot)], dtype=torch.float64)
        own = torch.cat([totals.values(), extra.to(self.processes.device, non_blocking=True)])
        summed = self.processes.summed(own)
        flags = self._flags(summed[: len(totals.names)], norm, summed[-1])
        rates = self.decoder.rates()
        self.decoder.update(left_out=flags.max())
        vector = torch.cat([torch.stack([norm.double(), *flags.double()]), summed[:-1]])
        return PendingStep(totals.names, OnItsWay(vector), rates, samples, blame)

    def _flags(self, sums: torch.Tensor, norm: torch.Tensor, cannot: torch.Tensor) -> torch.Tensor:
        """Say whether the step is skipped and whether the stage has halted: float32 ``[2]``."""
        skipped = 1 - (sums.isfinite().all() & norm.isfinite()).float()
        self._skipped = self._skipped + skipped
        over = (self._skipped > self._may_skip) | (cannot > 0)
        self._halted = torch.maximum(self._halted, over.float())
        return torch.stack([skipped, self._halted])

    def _backward(self, batch: Batch, counted: bool, samples: int, *, last: bool) -> Losses:
        """Add a micro-batch's gradient to what the whole batch's mean loss has."""
        accelerator = self.processes.accelerator
        with nullcontext() if last else accelerator.no_sync(self.decoder.module):
            losses = self.decoder.module(batch)
            mean = losses["loss"].sum() * (counted * self.processes.world_size / samples)
            mean.backward()
        return losses

    def to_blame(self, step: PendingStep) -> list[str]:
        """Return every process's utterances whose loss is not finite; all, if only the gradient."""
        own = self.processes.gather(step.blame.not_finite())
        return sorted({*own} or {*self.processes.gather(step.blame.everybody())})
