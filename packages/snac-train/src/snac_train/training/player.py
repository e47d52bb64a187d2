"""One of the modules that a stage trains, with what trains it."""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from snac_common.errors import Failure
from snac_train.distributed.processes import Processes


@dataclass(frozen=True)
class Moves:
    """In which steps of a stage a player is updated.

    Attributes:
        head_start: first steps of the stage, in all of which the player moves, or in none.
        moves_first: which of the two.
        every: after them, steps from one update to the next.
    """

    head_start: int = 0
    moves_first: bool = False
    every: int = 1

    def until(self, steps: int) -> int:
        """Return how many updates there are in the stage's first ``steps`` steps."""
        early = min(steps, self.head_start) if self.moves_first else 0
        return early + max(0, -(-(steps - self.head_start) // self.every))


EVERY_STEP = Moves()
DECODER, DISCRIMINATORS = "decoder", "discriminators"


class Player:
    """A module, its optimizer and its schedule; a checkpoint keeps each player under its name.

    The schedule spans the player's own updates.

    Args:
        module: returns losses; it is wrapped so that gradients are averaged over the processes.
        parameters: what the optimizer changes.
        clip: largest norm of the gradient; 0 leaves it as it is.
        moves: in which steps it is updated.
    """

    def __init__(
        self,
        name: str,
        module: nn.Module,
        parameters: Sequence[nn.Parameter],
        optimizer: torch.optim.Optimizer,
        schedule: LRScheduler,
        *,
        processes: Processes,
        clip: float = 0.0,
        moves: Moves = EVERY_STEP,
    ) -> None:
        self.name = name
        self.module = processes.wrap(module)
        self.parameters = parameters
        self.optimizer = optimizer
        self.schedule = schedule
        self.largest_norm = clip or math.inf
        self.moves = moves

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: the moments of each weight, and the groups' names."""
        groups = [group["name"] for group in self.optimizer.param_groups]
        return {"groups": groups, "weights": self.optimizer.state_dict()["state"]}

    def go_on(self, state: Mapping[str, Any] | None, steps_done: int) -> None:
        """Go on from what ``state`` returned, ``steps_done`` steps into the stage.

        Rates, decay and betas are the recipe's own, which may have been changed since.

        Args:
            state: None for a player that was not there yet.

        Raises:
            Failure: if other groups were trained then.
        """
        if state is not None:
            self._restore(state)
        if steps_done:
            self._move_schedule_to(self.moves.until(steps_done))

    def _restore(self, state: Mapping[str, Any]) -> None:
        groups = [group["name"] for group in self.optimizer.param_groups]
        if state["groups"] != groups:
            raise Failure(
                f"the checkpoint was saved while {', '.join(state['groups'])} were trained, but "
                f"there the recipe now trains {', '.join(groups)}. Stages can be moved only from "
                "where both have the same: leave curriculum.warmup_epochs as it was, or go on "
                "from an earlier checkpoint."
            )
        own = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state["weights"], "param_groups": own})

    def _move_schedule_to(self, updates: int) -> None:
        """Set the rates to those of an update; every schedule is a function of it alone."""
        self.schedule.last_epoch = updates - 1
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"Detected call of `lr_scheduler\.step\(\)` before")
            self.schedule.step()

    @property
    def norm_name(self) -> str:
        """The gradient norm's name among a step's figures."""
        return "grad_norm" if self.name == DECODER else f"grad_norm/{self.name}"

    def has_moved(self, steps: int) -> bool:
        """Say whether any of the stage's first ``steps`` steps has updated the player."""
        return self.moves.until(steps) > 0

    def moves_in(self, step: int) -> bool:
        """Say whether the player is updated in a step of the stage, counted from 0."""
        return self.moves.until(step + 1) > self.moves.until(step)

    def clip(self) -> torch.Tensor:
        """Clip the gradient, and return the norm that it had, a scalar on the device."""
        return torch.nn.utils.clip_grad_norm_(self.parameters, self.largest_norm)

    def update(self, *, left_out: torch.Tensor) -> None:
        """Take the optimizer's step, and the schedule's.

        Args:
            left_out: a float32 scalar on the device, 1 where no weight is to change; the schedule
                moves on all the same, so that it spans its stage.
        """
        self.optimizer.found_inf = left_out  # type: ignore[attr-defined]  # as GradScaler does
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.schedule.step()

    def rates(self) -> dict[str, float]:
        """Return each group's learning rate as ``lr/<group>``."""
        return {f"lr/{group['name']}": group["lr"] for group in self.optimizer.param_groups}
