"""What is done with one row: its bandwidth, its target, or the reason for which it has none."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from snac_cache.encoding.reading import check_unchanged, load_utterance
from snac_cache.schema import TARGET_RATE
from snac_cache.targets.bandwidth import measure_bandwidth
from snac_cache.targets.choice import FILES, RESAMPLE, SIDON
from snac_cache.targets.correction import clip, correct_target, target_length
from snac_cache.targets.given import GivenFiles
from snac_cache.targets.given_target import take_given
from snac_cache.targets.notes import TargetNotes
from snac_cache.targets.place import target_place
from snac_cache.targets.request import TargetRequest
from snac_cache.targets.results import GIVEN, MADE, NATIVE, REJECTED, RowResult
from snac_cache.targets.sidon import Features, Sidon
from snac_cache.targets.target_store import TargetFiles, TargetStore
from snac_common.addresses import said
from snac_model.audio.header import AudioError
from snac_model.audio.reading import resample


@dataclass(frozen=True)
class Begun:
    """A row that waits for Sidon: its source ``[T]`` at its own rate, and its features."""

    row: dict[str, Any]
    place: str
    source: torch.Tensor
    bandwidth_hz: float
    features: Features


class TargetMaker:
    """Makes the targets of rows, each in two halves: before and after Sidon's turn.

    Rows that need no Sidon are done after the first half. Both halves run on the CPU, and may run
    in several threads at once.

    Args:
        sidon: prepares the features of sources below 48 kHz; None resamples them, unless the
            request is for files that are there.

    Attributes:
        store: takes the targets; another one for each part, where they go into tars.
    """

    def __init__(self, request: TargetRequest, sidon: Sidon | None) -> None:
        self.store: TargetStore = TargetFiles(request.folder)
        self.max_lag = request.max_lag
        self.sidon = sidon
        self.correct = request.engine.correct
        engine = request.engine
        self.given = GivenFiles(engine.folders) if engine.name == FILES else None

    def begin(self, row: dict[str, Any]) -> RowResult | Begun:
        """Read a row's audio and do with it what can be done without Sidon.

        The row gets the fingerprint of what was read, where it has none.
        """
        try:
            if self.given and (path := self.given.find(row)) and said(path) != row["audio_path"]:
                return self._take(row, path)
            if row["source_sample_rate"] == TARGET_RATE:
                return RowResult(NATIVE, bandwidth_hz=measure_bandwidth(_load(row), TARGET_RATE))
            if self.given and row["source_sample_rate"] < TARGET_RATE:
                raise AudioError("no_target_file", "there is no file that mirrors its path")
            return self._keep_or_make(row)
        except AudioError as error:
            return RowResult(REJECTED, reject=error)

    def finish(self, begun: Begun, made: torch.Tensor | AudioError) -> RowResult:
        """Correct, prove and write what Sidon made of a row, ``[T]`` at 48 kHz."""
        rate, bandwidth = begun.row["source_sample_rate"], begun.bandwidth_hz
        try:
            if isinstance(made, AudioError):
                raise made
            target, found, clipped = correct_target(begun.source, rate, made, self.max_lag)
            notes = TargetNotes(
                engine=SIDON,
                audio_fingerprint=begun.row["audio_fingerprint"],
                bandwidth_hz=bandwidth,
                lag_samples=found.lag,
                gain_db=round(found.gain_db, 3),
                clipped_samples=clipped,
            )
            place = self.store.write(begun.place, target, notes)
        except AudioError as error:
            return RowResult(REJECTED, bandwidth_hz=bandwidth, reject=error)
        return _made(place, notes)

    def _keep_or_make(self, row: dict[str, Any]) -> RowResult | Begun:
        place = target_place(row["split"], row["utterance_id"])
        self.store.check(place)
        above = row["source_sample_rate"] > TARGET_RATE
        sidon = None if above else self.sidon
        if notes := self._finished(row, place, SIDON if sidon else RESAMPLE):
            return _made(self.store.keep(place), notes, kept=True)
        source = _load(row)
        bandwidth = measure_bandwidth(source, row["source_sample_rate"])
        if sidon:
            features = sidon.prepare(source, row["source_sample_rate"])
            return Begun(row, place, source, bandwidth, features)
        return self._resample(row, place, source, bandwidth)

    def _take(self, row: dict[str, Any], path: Path) -> RowResult:
        """Use a file in place, or write a target of ours if it had to be changed."""
        source = _load(row)
        bandwidth = measure_bandwidth(source, row["source_sample_rate"])
        try:
            given = take_given(
                source, row["source_sample_rate"], path, self.max_lag, correct=self.correct
            )
            if given.in_place:
                return RowResult(GIVEN, said(path), bandwidth, given.found.lag, given.gain_db)
            place = target_place(row["split"], row["utterance_id"])
            self.store.check(place)
            self.store.discard(place)
            notes = given.notes(row["audio_fingerprint"], bandwidth)
            place = self.store.write(place, given.target, notes)
        except AudioError as error:
            return RowResult(REJECTED, bandwidth_hz=bandwidth, reject=error)
        return _made(place, notes)

    def _finished(self, row: dict[str, Any], place: str, engine: str) -> TargetNotes | None:
        """Return the notes of a finished target; one that cannot be kept is deleted."""
        length = target_length(row["num_frames"], row["source_sample_rate"])
        notes = self.store.finished(place, length)
        if notes and notes.engine == engine and abs(notes.lag_samples) <= self.max_lag:
            check_unchanged(row)
            if notes.audio_fingerprint == row["audio_fingerprint"]:
                return notes
        self.store.discard(place)
        return None

    def _resample(
        self, row: dict[str, Any], place: str, source: torch.Tensor, bandwidth: float
    ) -> RowResult:
        """Write the source itself at 48 kHz: nothing about it is to be proved."""
        target, clipped = clip(resample(source, row["source_sample_rate"], TARGET_RATE))
        notes = TargetNotes(RESAMPLE, row["audio_fingerprint"], bandwidth, 0, 0.0, clipped)
        try:
            place = self.store.write(place, target, notes)
        except AudioError as error:
            return RowResult(REJECTED, bandwidth_hz=bandwidth, reject=error)
        return _made(place, notes)


def _made(place: str, notes: TargetNotes, *, kept: bool = False) -> RowResult:
    return RowResult(
        MADE,
        target_path=place,
        bandwidth_hz=notes.bandwidth_hz,
        target_lag_samples=notes.lag_samples,
        target_gain_db=notes.gain_db,
        clipped_samples=notes.clipped_samples,
        kept=kept,
    )


def _load(row: dict[str, Any]) -> torch.Tensor:
    """Read a row's audio at its own rate; raises AudioError."""
    audio = load_utterance(row, row["source_sample_rate"])
    if isinstance(audio, AudioError):
        raise audio
    return audio
