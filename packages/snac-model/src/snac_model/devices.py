"""Choosing where to compute."""

import os

from snac_model.console import note
from snac_model.errors import BadInput

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


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


def prepare_cpu_worker() -> None:
    """Make this process one of several that compute on the CPU, one core each.

    One thread whatever the number of workers: kernels are chosen by the number of threads, and
    codes must not depend on it. Freed memory is kept: glibc would hand every large activation back
    to the system and have it cleared again, a fifth of the encoder's time.
    """
    import ctypes

    import torch

    torch.set_num_threads(1)
    allocator = ctypes.CDLL(None)
    if hasattr(allocator, "mallopt"):
        allocator.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        allocator.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
