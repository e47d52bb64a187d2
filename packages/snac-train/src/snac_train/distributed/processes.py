"""The processes of a run, which share every batch and step together."""

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs
from accelerate.utils import gather_object
from torch import nn

from snac_cache.work.ranks import launcher_rank
from snac_common.devices import choose_device, keep_freed_memory
from snac_common.errors import BadInput, Failure

Result = TypeVar("Result")

PATIENCE = timedelta(hours=1)  # with a process that waits for a disk, before all are given up


class Processes:
    """One process of a run, with what it needs of the others; alone, all of it is free.

    Wraps an Accelerator, which finds the device and the others (torchrun, Accelerate, Slurm).

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.

    Attributes:
        rank: number of this process, from 0.
        world_size: how many there are, ``local_world_size`` of them on this machine.
    """

    def __init__(self, device: str) -> None:
        _name_slurm_rank()
        options = DistributedDataParallelKwargs(
            broadcast_buffers=False, gradient_as_bucket_view=True
        )
        self.accelerator = Accelerator(
            cpu=choose_device(device) == "cpu",
            mixed_precision="no",
            kwargs_handlers=[options, InitProcessGroupKwargs(timeout=PATIENCE)],
        )
        self.device: torch.device = self.accelerator.device
        if self.device.type == "cpu":
            keep_freed_memory()
        self.rank: int = self.accelerator.process_index
        self.world_size: int = self.accelerator.num_processes
        self.local_world_size: int = max(1, launcher_rank().local_world)
        self.is_main: bool = self.accelerator.is_main_process

    def share(self, items: list[Any]) -> list[Any]:
        """Return this process's items; together the processes have each one once."""
        return items[self.rank :: self.world_size]

    def wrap(self, module: nn.Module) -> nn.Module:
        """Return the module with its gradients averaged over the processes."""
        return self.accelerator.prepare_model(module)

    def unwrap_all(self) -> None:
        """Let go of every module that was wrapped."""
        self.accelerator.free_memory()

    def largest(self, values: Sequence[int]) -> list[int]:
        """Return the largest of each value over the processes."""
        found = torch.tensor(values, dtype=torch.int64)
        return self._reduce(found, torch.distributed.ReduceOp.MAX).tolist()

    def total(self, values: torch.Tensor) -> list[float]:
        """Return the sums over the processes of a vector."""
        return self.summed(values).tolist()

    def summed(self, values: torch.Tensor) -> torch.Tensor:
        """Return the sums over the processes of a vector, on the device: nobody waits for them."""
        return self._reduce(values, torch.distributed.ReduceOp.SUM)

    def gather(self, items: list[Any]) -> list[Any]:
        """Return everybody's items, in the order of ranks."""
        return gather_object(items) if self.world_size > 1 else items

    def from_main(self, value: Any) -> Any:
        """Return what the main process has as ``value``, in all of them."""
        return self.gather([value])[0]

    def on_main(self, act: Callable[[], Result]) -> Result:
        """Do something in the main process alone, and return in all of them what came of it.

        Raises:
            Failure: in all of them, if the main process met one.
        """
        failure, result = None, None
        if self.is_main:
            try:
                result = act()
            except Failure as error:
                failure = error
        self.fail_together(failure)
        return self.from_main(result)

    def wait(self) -> None:
        """Wait until every process is here."""
        self.accelerator.wait_for_everyone()

    def fail_together(self, failure: Failure | None) -> None:
        """Raise a failure that any process has met, in all of them.

        A process that failed alone would leave the others waiting for it.
        """
        if self.largest([failure is not None])[0]:
            messages = self.gather([] if failure is None else [str(failure)])
            raise failure or Failure(messages[0])

    def end(self) -> None:
        """Leave the group of processes."""
        if self.world_size > 1:
            torch.distributed.destroy_process_group()

    def _reduce(self, values: torch.Tensor, operation: Any) -> torch.Tensor:
        if self.world_size > 1:
            values = values.to(self.device)
            torch.distributed.all_reduce(values, operation)
        return values


def _name_slurm_rank() -> None:
    """Give torch the names that it knows for a Slurm step's numbers."""
    rank = launcher_rank()
    if rank.world == 1 or "RANK" in os.environ:
        return
    if "MASTER_ADDR" not in os.environ:
        raise BadInput(
            "several processes were started by srun, but not where they meet: in the batch script, "
            "export MASTER_ADDR=$(scontrol show hostnames $SLURM_JOB_NODELIST | head -n 1)"
        )
    names = {"RANK": rank.number, "WORLD_SIZE": rank.world, "LOCAL_RANK": rank.local}
    os.environ.setdefault("MASTER_PORT", "29500")
    os.environ.update({name: str(value) for name, value in names.items()})
