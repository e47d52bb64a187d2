"""Which share of the work is this process's, when several are started on the same command."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from snac_cache.work.plan import Part
from snac_common.errors import BadInput

# Rank, world size, and the same on this machine alone: torchrun and Accelerate, then Slurm.
# Of Slurm only a job step counts (srun): a batch script sees its job's numbers too, but runs alone.
_LAUNCHERS = (
    ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "SLURM_NTASKS_PER_NODE"),
)
_ARRAY = "SLURM_ARRAY_TASK_"


@dataclass(frozen=True)
class Rank:
    """One of ``world`` processes that share the work.

    Attributes:
        number: which, from 0.
        local: its number on its own machine.
        launched: whether a launcher started several processes on this machine, each with a GPU.
        local_world: how many it started there, as far as it says so.
    """

    number: int = 0
    world: int = 1
    local: int = 0
    launched: bool = False
    local_world: int = 1

    def share(self, parts: list[Part]) -> list[Part]:
        """Return every ``world``-th part, which are this rank's."""
        return parts[self.number :: self.world]


def this_rank(asked: str | None = None, environment: Mapping[str, str] = os.environ) -> Rank:
    """Read which rank this process is: as asked for, or from its launcher; alone without either.

    torchrun, Accelerate, Slurm's steps (srun) and Slurm's arrays are understood, and steps in an
    array together. A Kubernetes job tells its pods their index but not how many there are.

    Args:
        asked: ``NUMBER/WORLD``, such as ``3/16``, counted from 0.

    Raises:
        BadInput: if that is no rank, or the launcher does not tell enough.
    """
    if asked is not None:
        return _parse(asked)
    step = launcher_rank(environment)
    array = _array(environment)
    if array.world == step.world == 1 and "JOB_COMPLETION_INDEX" in environment:
        raise BadInput(
            "this is a pod of an indexed Kubernetes job, and each would do all of the work. Say "
            "how many share it, such as --rank $JOB_COMPLETION_INDEX/16; or --rank 0/1 if this "
            "pod is to do all."
        )
    return replace(
        step,
        number=array.number * step.world + step.number,
        world=array.world * step.world,
    )


def check_gpus(gpus: str | None, rank: Rank) -> None:
    """Raise BadInput if each of several processes on a machine would take the same GPUs."""
    if gpus is not None and rank.launched:
        raise BadInput(
            "--gpus starts a worker on each GPU, and so would each process of the launcher. Leave "
            "out --gpus, or start the command once a machine."
        )


def _parse(asked: str) -> Rank:
    number, _, world = asked.partition("/")
    if not (number.isdecimal() and world.isdecimal() and int(number) < int(world)):
        raise BadInput(f"--rank {asked}: write it as NUMBER/WORLD from 0, such as 0/16 to 15/16")
    return Rank(int(number), int(world))


def launcher_rank(environment: Mapping[str, str] = os.environ) -> Rank:
    """Read which of several processes that were started together this is; alone without them."""
    for number, world, local, beside in _LAUNCHERS:
        if number in environment and world in environment:
            size = int(environment[world])
            return Rank(
                int(environment[number]),
                size,
                int(environment.get(local, 0)),
                launched=size > 1,
                local_world=int(environment.get(beside, 1)),
            )
    return Rank()


def _array(environment: Mapping[str, str]) -> Rank:
    """Read the place in a Slurm array, whose numbers may start anywhere and have steps."""
    try:
        task, first, last, step, count = (
            int(environment[_ARRAY + name]) for name in ("ID", "MIN", "MAX", "STEP", "COUNT")
        )
    except (KeyError, ValueError):
        return Rank()
    if (last - first) // step + 1 != count:
        raise BadInput(
            f"the numbers of this Slurm array have gaps ({count} tasks from {first} to {last}): "
            "they do not tell shares apart. Use --array without gaps, such as 0-15, or --rank "
            "NUMBER/WORLD. Finished parts are skipped, so a whole array may be started again."
        )
    return Rank((task - first) // step, count)
