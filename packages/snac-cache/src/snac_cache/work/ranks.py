"""Which share of the work is this process's, when several are started on the same command."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

# Number, how many, and number on this machine: torchrun and Accelerate, then Slurm. Of Slurm only
# a job step counts (srun): a batch script sees its job's numbers too, but runs alone.
_LAUNCHERS = (
    ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID"),
)


@dataclass(frozen=True)
class Rank:
    """One of ``world`` processes; ``local`` is its number on its own machine."""

    number: int = 0
    world: int = 1
    local: int = 0


def this_rank(environment: Mapping[str, str] = os.environ) -> Rank:
    """Read what torchrun, Accelerate or Slurm say of this process; alone without them."""
    for number, world, local in _LAUNCHERS:
        if number in environment and world in environment:
            return Rank(
                int(environment[number]), int(environment[world]), int(environment.get(local, 0))
            )
    return Rank()
