"""Where a run is, and the lines of metrics.jsonl that say so."""

import math
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch

from snac_model.shapes.geometry import Geometry
from snac_train.recipe.curriculum import Epoch
from snac_train.run.run_folder import RunFolder
from snac_train.training.metrics import LossMeans
from snac_train.training.step import Step
from snac_train.training.validation import Validator


@dataclass
class Position:
    """How far a run is.

    Attributes:
        step: steps behind it.
        epoch: counted from 1.
        samples_seen: segments behind it.
        epoch_step: steps behind it in this epoch.
        stage: that the epoch belongs to, and in ``stage_step`` the steps behind it in that.
    """

    step: int = 0
    epoch: int = 0
    samples_seen: int = 0
    epoch_step: int = 0
    stage: str = ""
    stage_step: int = 0


class Tracker:
    """Writes a line every ``log_every`` steps and at each epoch's end, and one a validation."""

    def __init__(self, folder: RunFolder, geometry: Geometry, log_every: int) -> None:
        self.folder = folder
        self.geometry = geometry
        self.log_every = log_every
        self.position = Position()
        self._means = LossMeans()
        self._steps = 0
        self._figures: dict[str, float] = {}
        self._samples_timed = 0
        self._started = time.monotonic()
        self._waited_s = 0.0

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: the position, and the line that is being summed up."""
        line = {"steps": self._steps, "figures": self._figures, **asdict(self._means)}
        return {"position": asdict(self.position), "line": line}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what ``state`` returned."""
        self.position = Position(**state["position"])
        line = dict(state["line"])
        self._steps, self._figures = line.pop("steps"), dict(line.pop("figures"))
        self._means = LossMeans(**line)

    def begin_epoch(self, epoch: Epoch) -> None:
        """Say which epoch the steps to come are of."""
        position = self.position
        self.epoch = epoch
        if position.epoch != epoch.number:
            position.epoch, position.epoch_step = epoch.number, 0
        if position.stage != epoch.stage:
            position.stage, position.stage_step = epoch.stage, 0
        self._samples_timed = 0
        self._waited_s = 0.0
        self._started = time.monotonic()

    def waited_for_data(self, seconds: float) -> None:
        """Count time in which a step waited for the readers."""
        self._waited_s += seconds

    def add_step(self, step: Step) -> None:
        """Count a step; of each figure a line has the last step's that had it."""
        self.position.step += 1
        self.position.epoch_step += 1
        self.position.stage_step += 1
        self.position.samples_seen += step.samples
        self._samples_timed += step.samples
        if not step.skipped:
            self._means.add(step.sums, step.samples)
        self._steps += 1
        self._figures.update(step.figures)
        if self._steps == self.log_every or self.epoch_done():
            self._write_line()

    def epoch_done(self) -> bool:
        """Say whether the epoch's last step has been taken."""
        return self.position.epoch_step == self.epoch.steps

    def add_validation(self, kind: str, losses: dict[str, float], validator: Validator) -> None:
        """Write a ``val`` line of the epoch that ended, or one of another kind without a stage."""
        stage = {"stage": self.epoch.stage} if kind == "val" else {}
        tokens = validator.segments.segment_tokens
        self._record(kind, tokens, validator.batch_size, **stage, **losses)

    def _write_line(self) -> None:
        means = self._means.take()
        elapsed = time.monotonic() - self._started
        self._record(
            "train",
            self.epoch.segment_tokens,
            self.epoch.batch_size,
            stage=self.epoch.stage,
            **means,
            **{name: value for name, value in self._figures.items() if math.isfinite(value)},
            samples_per_s=self._samples_timed / elapsed,
            waited_for_data=self._waited_s / elapsed,
            **_gpu_memory(),
        )
        self._means, self._steps, self._figures = LossMeans(), 0, {}
        self._samples_timed, self._waited_s = 0, 0.0
        self._started = time.monotonic()

    def _record(self, kind: str, segment_tokens: int, batch_size: int, **fields: object) -> None:
        segment_s = self.geometry.seconds(segment_tokens)
        at = self.position
        place = {
            "kind": kind,
            "step": at.step,
            "epoch": at.epoch,
            "samples_seen": at.samples_seen,
        }
        self.folder.record(**place, segment_s=segment_s, batch_size=batch_size, **fields)


def _gpu_memory() -> dict[str, float]:
    """Return the most memory that this process has held on its GPU, if it has one."""
    if not torch.cuda.is_initialized():
        return {}
    return {"gpu_memory_gb": torch.cuda.max_memory_allocated() / 1e9}
