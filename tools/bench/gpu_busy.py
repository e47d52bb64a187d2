"""How busy the GPUs are while something runs, as nvidia-smi samples it five times a second."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

FIELDS = ["--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
QUERY = ["nvidia-smi", *FIELDS, "-lms", "200"]


@contextmanager
def gpu_busy() -> Iterator[list[float]]:
    """Yield a list that holds every sample, in percent, when the work is done."""
    samples: list[float] = []
    if shutil.which(QUERY[0]) is None:
        yield samples
        return
    with subprocess.Popen(QUERY, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield samples
        finally:
            process.terminate()
            output = process.communicate()[0]
    samples += [float(line) for line in output.splitlines() if line.strip().isdigit()]


def in_percent(samples: list[float]) -> str:
    """Say the mean; nothing where nothing was measured."""
    return f"{sum(samples) / len(samples):.0f} %" if samples else ""
