"""GPUs by the names that CUDA and nvidia-smi both understand."""

import os
from collections.abc import Mapping, Sequence

VISIBLE, ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"


def visible_gpus(
    numbers: Sequence[int] | None, environment: Mapping[str, str] = os.environ
) -> list[str]:
    """Return the names of GPUs: numbers as nvidia-smi has them, or UUIDs of GPUs and MIG parts.

    Args:
        numbers: counted among the GPUs that this process was given itself; None for the first.
        environment: says which those are, in ``CUDA_VISIBLE_DEVICES``.
    """
    given = environment.get(VISIBLE)
    names = [name.strip() for name in given.split(",")] if given else None
    return [names[number] if names else str(number) for number in numbers or [0]]


def number_as_nvidia_smi() -> None:
    """Have CUDA count this process's GPUs, and its children's, as nvidia-smi does.

    By itself CUDA puts the fastest first. What the user has set is left alone. To be called before
    torch looks for GPUs.
    """
    os.environ.setdefault(ORDER, "PCI_BUS_ID")
