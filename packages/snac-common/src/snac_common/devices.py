"""Choosing where to compute."""

import math
import os
from functools import cache
from pathlib import Path

from snac_common.console import note
from snac_common.errors import BadInput

_CGROUP_LIMIT = Path("/sys/fs/cgroup/cpu.max")  # microseconds of processor, in how many
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
MOST_READING_THREADS = 32  # of a process: they share one interpreter
_KEPT_KERNELS = 64  # an encoder has about 40


def choose_device(device: str, *, say: bool = True) -> str:
    """Return ``cpu`` or ``cuda``; ``auto`` takes the GPU if there is one, and says if not.

    Args:
        say: that there is none, once in this process; not where data is piped, or in a table.

    Raises:
        BadInput: if ``cuda`` is asked for and there is no GPU.
    """
    import torch

    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise BadInput("--device cuda: there is no GPU that torch can use. Give --device cpu.")
    if device == "auto":
        device = "cuda" if available else "cpu"
        if not available and say:
            _say_that_there_is_no_gpu()
    return device


@cache
def _say_that_there_is_no_gpu() -> None:
    note("no GPU found: running on the CPU")


def choose_workers(
    device: str, gpus: str | None, workers: int | None, *, local_rank: int = 0, alone: bool = True
) -> list[str]:
    """Return the device of each worker process: one a GPU, or CPU workers.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.
        gpus: such as ``0,1,2,3``.
        workers: CPU processes; one a core by default.
        local_rank: number of this process on its machine, where a launcher started several.
        alone: whether it is the only one.

    Raises:
        BadInput: if a GPU does not exist, naming those that do, or the options contradict.
    """
    if gpus is not None:
        if device == "cpu" or workers is not None:
            raise BadInput("--gpus goes with neither --device cpu nor --workers")
        return [f"cuda:{number}" for number in parse_gpus(gpus)]
    if choose_device(device) == "cpu":
        return ["cpu"] * (workers or (available_cores() if alone else 1))
    import torch

    count = torch.cuda.device_count()
    if alone and count > 1:
        note(f"using one GPU of {count}; --gpus {','.join(map(str, range(count)))} takes all")
    return [f"cuda:{local_rank % count}"]


def parse_gpus(text: str) -> list[int]:
    """Read ``0,1,2``; raises BadInput if that is no list of GPUs that exist, each once."""
    import torch

    count = torch.cuda.device_count()
    present = ", ".join(map(str, range(count))) or "none"
    try:
        numbers = [int(number) for number in text.split(",")]
    except ValueError:
        raise BadInput(f"--gpus {text}: write it as 0,1,2. GPUs here: {present}") from None
    if len(set(numbers)) < len(numbers) or not set(numbers) <= set(range(count)):
        raise BadInput(f"--gpus {text}: no such list of GPUs. GPUs here: {present}")
    return numbers


def available_cores() -> int:
    """Return the number of cores that this process may use: of its cpuset and its container."""
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = _CGROUP_LIMIT.read_text().split()
        return max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no control groups, or "max": no limit
        return cores


def reading_threads(workers: int) -> int:
    """Return how many threads each of the workers on this machine should read with."""
    return min(MOST_READING_THREADS, max(1, available_cores() // workers))


def prepare_cpu_worker() -> None:
    """Make this process one of several that compute on the CPU, one core each.

    One thread whatever the number of workers: kernels are chosen by the number of threads, and
    codes must not depend on it. oneDNN keeps the kernels of one length, not of the last 1,024
    shapes, whose small blocks would be strewn among the large ones: memory would grow with the
    number of files.
    """
    import torch

    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(_KEPT_KERNELS))
    torch.set_num_threads(1)
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Keep freed memory in this process, for what it computes on the CPU next.

    glibc would hand every large activation back to the system and have it cleared again: a fifth of
    the encoder's time, two fifths of a training step's. The step's peak of memory is a third higher
    for it.
    """
    import ctypes

    allocator = ctypes.CDLL(None)
    if hasattr(allocator, "mallopt"):
        allocator.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        allocator.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def give_back_freed_memory() -> None:
    """Hand back to the system what was kept: tensors of other sizes would find no place in it."""
    import ctypes

    allocator = ctypes.CDLL(None)
    if hasattr(allocator, "malloc_trim"):
        allocator.malloc_trim(0)
