"""What ``step.py`` asks of the two training loops, and what they answer."""

import json
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

import torch


@dataclass(frozen=True)
class Asked:
    """A batch of ``batch`` segments of ``tokens`` coarse tokens, for ``steps`` timed steps."""

    stage: Literal["warmup", "main", "refine"]
    device: str
    precision: str
    context: bool
    batch: int
    tokens: int
    steps: int
    codes: str

    @classmethod
    def read(cls, text: str) -> Self:
        """Read the JSON form."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class StepCost:
    """The fastest step, the process's peak memory, and the share of time spent on waiting."""

    seconds: float
    cpu_seconds: float
    gibibytes: float
    waiting: float | None = None


def measure(step: Callable[[], object], asked: Asked) -> StepCost:
    """Take one step to warm up, and then those that count."""
    taken = []
    for _ in range(asked.steps + 1):
        started = time.perf_counter(), time.process_time()
        step()
        if asked.device == "cuda":
            torch.cuda.synchronize()
        taken.append((time.perf_counter() - started[0], time.process_time() - started[1]))
    seconds, cpu_seconds = (min(times) for times in zip(*taken[1:], strict=True))
    return StepCost(seconds, cpu_seconds, peak_gibibytes(asked.device))


def peak_gibibytes(device: str) -> float:
    """Return the most memory that torch held on the GPU, or this process on the CPU."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
