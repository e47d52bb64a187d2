"""Which rows of a part need no work, because an earlier run has done it."""

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from snac_cache.schema import SOURCE
from snac_cache.targets.request import TargetRequest
from snac_cache.targets.results import GIVEN, MADE, REJECTED, PartResults, RowResult, read_results
from snac_cache.work.plan import Part
from snac_model.audio.header import AudioError
from snac_model.audio.locators import named_file


class Listings:
    """Tells which targets are there; each folder is listed once, which is cheaper than asking.

    Kept of a name are 64 bits of hash, so that a folder of millions stays small in memory.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._hashes: dict[str, np.ndarray] = {}

    def missing(self, places: Iterable[str]) -> set[str]:
        """Return those of the paths within the root that are no files there."""
        by_folder: dict[str, list[str]] = defaultdict(list)
        for place in places:
            folder, _, name = place.rpartition("/")
            by_folder[folder].append(name)
        absent: set[str] = set()
        for folder, names in by_folder.items():
            found = self._are_there(folder, names)
            if not found.all():
                found |= self._are_there(folder, list(map(named_file, names)))
                absent.update(f"{folder}/{names[at]}" for at in np.flatnonzero(~found))
        return absent

    def _are_there(self, folder: str, names: list[str]) -> np.ndarray:
        there = self._listed(folder)
        hashes = np.fromiter(map(hash, names), np.int64, len(names))
        found: np.ndarray = np.searchsorted(there, hashes, "right") > np.searchsorted(there, hashes)
        return found

    def _listed(self, folder: str) -> np.ndarray:
        if folder not in self._hashes:
            self._hashes[folder] = _hashes_of_names(self.root / folder)
        return self._hashes[folder]


def is_complete(found: PartResults | None, request: TargetRequest, listings: Listings) -> bool:
    """Say whether nothing is left to do in a part that has these results."""
    if found is None or (request.retry and found.record.rejects):
        return False
    return not listings.missing(found.rows["target_path"].drop_null().to_pylist())


def earlier_results(
    part: Part, request: TargetRequest, rows: list[dict[str, Any]], listings: Listings
) -> dict[int, RowResult]:
    """Return what earlier results say of a part's rows, by position in ``rows``.

    Left out are rows whose audio was replaced, whose target is gone, and those that are asked for
    again: rejects to retry, targets to verify.
    """
    found = read_results(part, request)
    if found is None:
        return {}
    reasons = {reject["utterance_id"]: reject for reject in found.rejects.to_pylist()}
    earlier = {row["utterance_id"]: row for row in found.rows.to_pylist()}
    missing = listings.missing(found.rows["target_path"].drop_null().to_pylist())
    results = {}
    for position, row in enumerate(rows):
        done = earlier.get(row["utterance_id"])
        if done is None or not _same_source(row, done) or done["target_path"] in missing:
            continue
        again = {MADE: request.verify, GIVEN: request.verify, REJECTED: request.retry}
        if not again.get(done["kind"], False):
            row["audio_fingerprint"] = done["audio_fingerprint"]
            results[position] = _as_result(done, reasons.get(row["utterance_id"]))
    return results


def _same_source(row: dict[str, Any], done: dict[str, Any]) -> bool:
    """Compare a row with what it was; a manifest without fingerprints tells nothing about them."""
    return all(row[name] in (None, done[name]) for name in SOURCE)


def _as_result(done: dict[str, Any], reject: dict[str, Any] | None) -> RowResult:
    values = {name: value for name, value in done.items() if name not in SOURCE}
    error = AudioError(reject["reason"], reject["detail"]) if reject else None
    return RowResult(**values, kept=True, reject=error)


def _hashes_of_names(folder: Path) -> np.ndarray:
    try:
        with os.scandir(folder) as entries:
            return np.sort(np.fromiter((hash(entry.name) for entry in entries), np.int64))
    except OSError:  # it is not there, or no folder
        return np.empty(0, np.int64)
