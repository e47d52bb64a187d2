"""Choosing where to compute."""

import os

from snac_model.console import note
from snac_model.errors import BadInput


def choose_device(device: str) -> str:
    """Return ``cpu`` or ``cuda``; ``auto`` takes the GPU if there is one, and says if not.

    Raises:
        BadInput: if ``cuda`` is asked for and there is no GPU.
    """
    import torch

    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise BadInput("--device cuda: there is no GPU that torch can use. Give --device cpu.")
    if device == "auto":
        device = "cuda" if available else "cpu"
        if not available:
            note("no GPU found: running on the CPU")
    return device


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))
