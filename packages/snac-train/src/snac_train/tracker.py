"""Where a run is, and the lines of metrics.jsonl that say so."""

import time
from dataclasses import asdict, dataclass

import torch

from snac_model.geometry import Geometry
from snac_train.curriculum import Epoch
from snac_train.metrics import Means
from snac_train.run_folder import RunFolder


@dataclass
class Position:
    """How far a run is: its epoch, counted from 1, and the steps and segments behind it."""

    step: int = 0
    epoch: int = 0
    samples_seen: int = 0


class Tracker:
    """Writes a line every ``log_every`` steps and at each epoch's end, and one a validation."""

    def __init__(self, folder: RunFolder, geometry: Geometry, log_every: int) -> None:
        self.folder = folder
        self.geometry = geometry
        self.log_every = log_every
        self.position = Position()
        self._figures: dict[str, float] = {}

    def begin_epoch(self, epoch: Epoch) -> None:
        """Start counting an epoch's steps."""
        self.epoch = epoch
        self.position.epoch = epoch.number
        self._begin_line()

    def add_step(self, losses: dict[str, torch.Tensor], figures: dict[str, float]) -> None:
        """Count a step with its losses ``[B]``; of ``figures`` a line has the last step's."""
        samples = len(losses["loss"])
        self.position.step += 1
        self.position.samples_seen += samples
        self._means.add(losses)
        self._figures = figures
        self._steps += 1
        self._samples += samples
        if self._steps == self.log_every:
            self._write_line()

    def end_epoch(self) -> None:
        """Write what the last line has not."""
        if self._steps:
            self._write_line()

    def add_validation(
        self, kind: str, losses: dict[str, float], segment_tokens: int, batch_size: int
    ) -> None:
        """Write a ``val`` line of the epoch that ended, or a ``baseline``, which has no stage."""
        stage = {} if kind == "baseline" else {"stage": self.epoch.stage}
        self._record(kind, segment_tokens, batch_size, **stage, **losses)

    def _begin_line(self) -> None:
        self._means = Means()
        self._steps = self._samples = 0
        self._started = time.monotonic()

    def _write_line(self) -> None:
        self._record(
            "train",
            self.epoch.segment_tokens,
            self.epoch.batch_size,
            stage=self.epoch.stage,
            **self._means.take(),
            **self._figures,
            samples_per_s=self._samples / (time.monotonic() - self._started),
        )
        self._begin_line()

    def _record(self, kind: str, segment_tokens: int, batch_size: int, **fields: object) -> None:
        segment_s = self.geometry.seconds(segment_tokens)
        place = {"kind": kind, **asdict(self.position)}
        self.folder.record(**place, segment_s=segment_s, batch_size=batch_size, **fields)
