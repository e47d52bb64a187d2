"""One of the modules that a stage trains, with what trains it."""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from snac_common.errors import Failure
from snac_train.distributed.processes import Processes


class Player:
    """A module, its optimizer and its schedule; a checkpoint keeps each player under its name.

    Args:
        module: returns losses; it is wrapped so that gradients are averaged over the processes.
        parameters: what the optimizer changes.
        clip: largest norm of the gradient; 0 leaves it as it is.
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
    ) -> None:
        self.name = name
        self.module = processes.wrap(module)
        self.parameters = parameters
        self.optimizer = optimizer
        self.schedule = schedule
        self.largest_norm = clip or math.inf

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: the moments of each weight, and the groups' names."""
        groups = [group["name"] for group in self.optimizer.param_groups]
        return {"groups": groups, "weights": self.optimizer.state_dict()["state"]}

    def restore(self, state: Mapping[str, Any], steps_done: int) -> None:
        """Go on from what ``state`` returned, ``steps_done`` steps into the schedule.

        Rates, decay and betas are the recipe's own, which may have been changed since.

        Raises:
            Failure: if other groups were trained then.
        """
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
        self._move_schedule_to(steps_done)

    def _move_schedule_to(self, steps_done: int) -> None:
        """Set the rates to those of a step; every schedule is a function of the step alone."""
        self.schedule.last_epoch = steps_done - 1
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"Detected call of `lr_scheduler\.step\(\)` before")
            self.schedule.step()

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
