"""Looking into the audio of what was found: its header, its length, its fingerprint."""

import math
import os
from dataclasses import dataclass, replace
from typing import Any

from snac_cache.fingerprint import audio_fingerprint, segment_fingerprint
from snac_cache.manifests.find import Found, Span
from snac_cache.schema import TARGET_RATE
from snac_common.addresses import address
from snac_model.audio.header import AudioError, AudioHeader, read_header
from snac_model.audio.locators import parse

HASHED, KEPT = "hashed", "kept"  # in a row beside the manifest's columns
OVERSHOOT_S = 0.1  # that a segment's end may lie behind the recording's: it is cut there
ROUNDING_S = 0.01  # of times in text: what ends so close to the recording's end is all of it


@dataclass(frozen=True)
class Durations:
    """Which utterances are wanted, in seconds."""

    shortest: float = 1.0
    longest: float | None = None

    def check(self, seconds: float) -> None:
        """Raise AudioError ``too_short`` or ``too_long`` for a length that is not wanted."""
        if seconds < self.shortest:
            detail = f"{seconds:.3f} s, shorter than --min-duration {self.shortest:g}"
            raise AudioError("too_short", detail)
        if self.longest is not None and seconds > self.longest:
            detail = f"{seconds:.3f} s, longer than --max-duration {self.longest:g}"
            raise AudioError("too_long", detail)


class _Recordings:
    """Headers and fingerprints of recordings; those of many segments are read once."""

    def __init__(self) -> None:
        self._headers: dict[str, AudioHeader | AudioError] = {}
        self._fingerprints: dict[str, str] = {}

    def header(self, where: str) -> AudioHeader:
        """Return a header; raises AudioError."""
        if where not in self._headers:
            try:
                self._headers[where] = read_header(where)
            except AudioError as error:
                self._headers[where] = error
        found = self._headers[where]
        if isinstance(found, AudioError):
            raise found
        return found

    def fingerprint(self, where: str) -> str:
        """Return a fingerprint; raises AudioError."""
        if where not in self._fingerprints:
            self._fingerprints[where] = audio_fingerprint(where)
        return self._fingerprints[where]


def inspect_all(files: list[Found], durations: Durations) -> list[dict[str, Any]]:
    """Return a manifest row or a rejects row for each file.

    Manifest rows have two more entries: ``hashed``, and in ``kept`` what else the source says.
    """
    recordings = _Recordings()
    return [_inspect(file, durations, recordings) for file in files]


def _inspect(file: Found, durations: Durations, recordings: _Recordings) -> dict[str, Any]:
    where = address(file.path) or os.path.abspath(file.path)
    row: dict[str, Any] = {
        "utterance_id": _printable(file.utterance_id),
        "split": file.split,
        "audio_path": _printable(where),
    }
    if row["audio_path"] != where:
        return reject_row(row, "bad_name", "the path is not valid UTF-8: rename it")
    if file.problem:
        return reject_row(row, *file.problem)
    if file.split is None:
        detail = "its source has splits of its own, and this is neither in train nor in val"
        return reject_row(row, "outside_splits", detail)
    try:
        audio = _audio(row["audio_path"], file.span, durations, recordings)
    except AudioError as error:
        return reject_row(row, error.reason, error.detail)
    return {**row, **audio, HASHED: file.hashed, KEPT: dict(file.columns)}


def _audio(
    where: str, span: Span | None, durations: Durations, recordings: _Recordings
) -> dict[str, Any]:
    """Return what is known of audio; raises AudioError."""
    header = recordings.header(where)
    segment = _segment(span, header) if span else None
    frames = segment[1] if segment else header.num_frames
    seconds = frames / header.sample_rate
    durations.check(seconds)
    fingerprint = recordings.fingerprint(where)
    if segment:
        fingerprint = segment_fingerprint(fingerprint, segment)
        where = str(replace(parse(where), segment=segment))
    return {
        "audio_path": where,
        "source_sample_rate": header.sample_rate,
        "channels": header.channels,
        "num_frames": frames,
        "duration_s": seconds,
        "audio_fingerprint": fingerprint,
        "target_path": where if header.sample_rate == TARGET_RATE else None,
    }


def _segment(span: Span, header: AudioHeader) -> tuple[int, int] | None:
    """Return a segment's first frame and its frames; None if it is the whole recording."""
    rate, total = header.sample_rate, header.num_frames
    start = _nearest(span.start * rate)
    stop = total if span.stop is None else _nearest(span.stop * rate)
    if start >= total or stop > total + OVERSHOOT_S * rate:
        end = "" if span.stop is None else f" to {span.stop:g} s"
        detail = f"the segment is from {span.start:g} s{end}, the recording {total / rate:g} s long"
        raise AudioError("beyond_end", detail)
    if start == 0 and abs(total - stop) <= ROUNDING_S * rate:
        return None
    return start, min(stop, total) - start


def _nearest(frames: float) -> int:
    return math.floor(frames + 0.5)


def reject_row(row: dict[str, Any], reason: str, detail: str) -> dict[str, Any]:
    """Return a rejects row for what was found."""
    place = {name: row[name] for name in ("utterance_id", "split", "audio_path")}
    return {**place, "stage": "manifest", "reason": reason, "detail": detail}


def _printable(text: str) -> str:
    """Return text that can be stored: bytes of a name that are not UTF-8 become escapes."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half a character, which no name on a disk can have
        return text.encode("utf-8", "backslashreplace").decode()
