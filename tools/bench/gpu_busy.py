"""How busy the GPUs in use are while something runs, as nvidia-smi samples it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

FIELDS = ["--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
QUERY = ["nvidia-smi", *FIELDS, "-lms", "200"]  # five times a second


@contextmanager
def gpu_busy(gpus: int = 1) -> Iterator[list[float]]:
    """Yield a list that holds every sample, in percent, when the work is done.

    Args:
        gpus: how many are in use, the first of those that this process may see. Others on the
            machine are left out: idle ones would halve the figure, and busy ones are not ours.
    """
    samples: list[float] = []
    if shutil.which(QUERY[0]) is None:
        yield samples
        return
    query = [*QUERY, f"--id={','.join(visible(gpus))}"]
    with subprocess.Popen(query, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield samples
        finally:
            process.terminate()
            output = process.communicate()[0]
    samples += [float(line) for line in output.splitlines() if line.strip().isdigit()]


def visible(gpus: int) -> list[str]:
    """Return what nvidia-smi calls the first GPUs of those that this process may see."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return (named.split(",") if named else [str(number) for number in range(gpus)])[:gpus]


def in_percent(samples: list[float]) -> str:
    """Say the mean; nothing where nothing was measured."""
    return f"{sum(samples) / len(samples):.0f} %" if samples else ""
