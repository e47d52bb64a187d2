"""What is done with one manifest row: its bandwidth, its target, or the reason it has none."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from snac_cache.encoding.reading import load_utterance
from snac_cache.schema import TARGET_RATE
from snac_cache.targets.bandwidth import measure_bandwidth
from snac_cache.targets.engines import Engine, resample_engine
from snac_cache.targets.target import (
    TargetNotes,
    align_target,
    read_finished,
    target_length,
    write_target,
)
from snac_model.audio_header import AudioError
from snac_model.errors import Failure

STAGE = "upsample"


@dataclass(frozen=True)
class RowResult:
    """A row with its new columns, what became of it, and its rejects row if it has no target."""

    row: dict[str, Any]
    kind: str
    clipped_samples: int = 0
    reject: dict[str, Any] | None = None


class RowWorker:
    """Treats rows one at a time, so that memory holds one utterance.

    Args:
        folder: where ``{split}/{utterance_id}.flac`` go.
        engine: for sources below 48 kHz; None if there are none.
        engine_name: what the notes in a target say.
        max_lag: samples at 48 kHz that are corrected.
    """

    def __init__(self, folder: Path, engine: Engine | None, engine_name: str, max_lag: int) -> None:
        self.folder = folder
        self.engine = engine
        self.engine_name = engine_name
        self.max_lag = max_lag

    def treat(self, row: dict[str, Any]) -> RowResult:
        """Return the row with what was measured, and its target's path or the reason for none."""
        try:
            if row["source_sample_rate"] == TARGET_RATE:
                return self._use_source(row)
            return self._find_or_make(row)
        except AudioError as error:
            return _reject(row, error)

    def _use_source(self, row: dict[str, Any]) -> RowResult:
        bandwidth = row["bandwidth_hz"]
        if bandwidth is None:
            bandwidth = measure_bandwidth(_load(row), TARGET_RATE)
        columns = {"target_path": row["audio_path"], "bandwidth_hz": bandwidth}
        return RowResult({**row, **columns}, "native")

    def _find_or_make(self, row: dict[str, Any]) -> RowResult:
        path = self._path(row)
        above = row["source_sample_rate"] > TARGET_RATE
        name = "resample" if above else self.engine_name
        length = target_length(row["num_frames"], row["source_sample_rate"])
        notes = read_finished(path, length, name, self.max_lag)
        if notes is not None:
            return RowResult({**row, **_columns(path, notes)}, "skipped", notes.clipped_samples)
        path.unlink(missing_ok=True)
        engine = resample_engine if above else self.engine
        assert engine is not None
        return self._make(row, path, engine, name)

    def _make(self, row: dict[str, Any], path: Path, engine: Engine, name: str) -> RowResult:
        """Make, prove and write one target."""
        rate = row["source_sample_rate"]
        source = _load(row)
        bandwidth = measure_bandwidth(source, rate)
        try:
            target, found, clipped = align_target(source, rate, engine, self.max_lag)
        except AudioError as error:
            return _reject({**row, "bandwidth_hz": bandwidth}, error)
        notes = TargetNotes(name, bandwidth, found.lag, round(found.gain_db, 3), clipped)
        write_target(path, target, notes)
        return RowResult({**row, **_columns(path, notes)}, "made", clipped)

    def _path(self, row: dict[str, Any]) -> Path:
        """Return where the target goes; raises Failure for an id that leads out of the folder."""
        place = Path(row["split"]) / f"{row['utterance_id']}.flac"
        if place.is_absolute() or ".." in place.parts:
            raise Failure(f"the id {row['utterance_id']!r} leads out of {self.folder}: rename it")
        return self.folder / place


def _columns(path: Path, notes: TargetNotes) -> dict[str, Any]:
    """Return the manifest's columns of a target that was made."""
    return {
        "target_path": str(path.absolute()),
        "bandwidth_hz": notes.bandwidth_hz,
        "target_lag_samples": notes.lag_samples,
        "target_gain_db": notes.gain_db,
    }


def _reject(row: dict[str, Any], error: AudioError) -> RowResult:
    place = {name: row[name] for name in ("utterance_id", "split", "audio_path")}
    reject = {**place, "stage": STAGE, "reason": error.reason, "detail": error.detail}
    without = {"target_path": None, "target_lag_samples": None, "target_gain_db": None}
    return RowResult({**row, **without}, "rejected", reject=reject)


def _load(row: dict[str, Any]) -> torch.Tensor:
    """Read a row's audio at its own rate; raises AudioError."""
    audio = load_utterance(row, row["source_sample_rate"])
    if isinstance(audio, AudioError):
        raise audio
    return audio
