"""Whether GPUs are free, as nvidia-smi has it."""

import shutil
import subprocess
from collections.abc import Sequence

from snac_common.errors import Failure
from snac_common.visible_gpus import visible_gpus

FREE_BELOW = 0.1  # of a GPU's memory: a screen may be on it, but no other training
PART_OF_GPU = "MIG-"  # nvidia-smi tells of a whole GPU's memory alone


def check_gpus(numbers: Sequence[int] | None) -> str:
    """Say that GPUs are free.

    Args:
        numbers: counted among those that this process was given; None for the first.

    Raises:
        Failure: naming those that are in use, and the processes on them.
    """
    if shutil.which("nvidia-smi") is None:
        return "there is no nvidia-smi to ask whether it is free"
    names = visible_gpus(numbers)
    parts = [name for name in names if name.startswith(PART_OF_GPU)]
    whole = [name for name in names if name not in parts]
    busy = [text for name in whole if (text := _use_of(name))]
    if busy:
        raise Failure(f"{'; '.join(busy)}. Take others with --gpus, or wait.")
    free = [f"{', '.join(whole)}: free"] if whole else []
    unknown = [f"nvidia-smi does not say it of {', '.join(parts)}"] if parts else []
    return "; ".join(free + unknown)


def _use_of(name: str) -> str | None:
    """Say what a GPU is in use for; None if it is free, or does not say."""
    used, total = _ask(name, "--query-gpu=memory.used,memory.total")[0].split(", ")
    if not (used.isdigit() and total.isdigit()) or int(used) < FREE_BELOW * int(total):
        return None
    processes = ", ".join(_ask(name, "--query-compute-apps=pid,name"))
    return f"GPU {name} has {used} of {total} MiB in use, by {processes or 'processes not shown'}"


def _ask(name: str, query: str) -> list[str]:
    command = ["nvidia-smi", "-i", name, query, "--format=csv,noheader,nounits"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"{' '.join(command)}: {done.stdout.strip() or done.stderr.strip()}")
    return done.stdout.splitlines()
