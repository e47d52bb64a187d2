"""Reading a training run's ``metrics.jsonl``."""

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snac_common.errors import Failure

METRICS_FILE = "metrics.jsonl"
FIELDS = {  # of an entry, beside its metrics
    "kind": str,
    "stage": str,
    "epoch": int,
    "samples_seen": int | float,
    "segment_s": int | float,
}


@dataclass
class Curve:
    """A metric over the segments that a run has seen, or over its steps where it does not say."""

    seen: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class RunMetrics:
    """What a run logged.

    Attributes:
        curves: by kind (``train``, ``val``, ``baseline``) and name (``48k/loss``).
        stages: segments seen before each stage, in order.
    """

    curves: dict[tuple[str, str], Curve]
    stages: dict[str, float]


def read_run_metrics(run: Path) -> RunMetrics | None:
    """Read a run's log; None where it has none. Raises Failure as ``read_entries`` does."""
    path = run / METRICS_FILE
    if not path.is_file():
        return None
    curves: defaultdict[tuple[str, str], Curve] = defaultdict(Curve)
    stages: dict[str, float] = {}
    before: float = 0
    for entry in read_entries(path):
        _add(entry, curves)
        if entry.get("stage"):  # a line sums up what was seen since the line before it
            stages.setdefault(entry["stage"], before)
        before = seen(entry)
    return RunMetrics(dict(curves), stages)


def read_entries(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the entries of a ``metrics.jsonl`` one after the other.

    A last line without its end is still being written, and is left out.

    Raises:
        Failure: naming a line that is not a JSON object with a step.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.endswith(b"\n"):
                yield _parse(line, f"{path}, line {number}")


def _parse(line: bytes, place: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise Failure(f"{place} is not JSON: {error}") from error
    return checked(entry, place)


def checked(entry: Any, place: str) -> dict[str, Any]:
    """Return a metrics entry, if it is one; raises Failure naming its place otherwise."""
    if not isinstance(entry, dict) or type(entry.get("step")) is not int:
        raise Failure(f"{place} is not a metrics entry: an object with a step")
    for name, kinds in FIELDS.items():
        if not isinstance(entry.get(name), kinds | None):
            raise Failure(f"{place} is not a metrics entry: {name} is {entry[name]!r}")
    if entry.get("kind") == "length" and entry.get("segment_s") is None:
        raise Failure(f"{place} is of kind length and says no segment_s")
    return entry


def seen(entry: dict[str, Any]) -> float:
    """Return how many segments a run had seen at an entry; its step where it does not say."""
    samples: float | None = entry.get("samples_seen")
    return float(entry["step"] if samples is None else samples)


def _add(entry: dict[str, Any], curves: dict[tuple[str, str], Curve]) -> None:
    for name, value in entry.items():
        if "/" in name and isinstance(value, int | float) and math.isfinite(value):
            curve = curves[entry.get("kind", "train"), name]
            curve.seen.append(seen(entry))
            curve.values.append(value)
