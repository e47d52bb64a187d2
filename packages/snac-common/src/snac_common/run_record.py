"""What was copied up of a run, and whether it is ahead of its store."""

import json
from dataclasses import dataclass
from pathlib import Path

from snac_common.files import write_text
from snac_common.object_store import Object

RECORD = ".copied-up.json"

Stamps = dict[str, list[int]]
PENDING: list[int] = []  # of what is being put or deleted: it may be in the store, or not


class Record:
    """What was in the store when this machine last copied, by name."""

    def __init__(self, run: Path, stamps: Stamps | None = None) -> None:
        self.path = run / RECORD
        self.stamps = self._read() if stamps is None else stamps

    def put(self, name: str, stamp: list[int] | None) -> None:
        """Write down how an object is; None if it is not there."""
        self.stamps.pop(name, None)
        if stamp is not None:
            self.stamps[name] = stamp
        self.write()

    def write(self) -> None:
        """Write it down, atomically."""
        write_text(self.path, json.dumps(self.stamps))

    def _read(self) -> Stamps:
        try:
            stamps: Stamps = json.loads(self.path.read_text(encoding="utf-8"))
            return stamps
        except (OSError, ValueError):
            return {}


@dataclass(frozen=True)
class Listed:
    """What a store has of a run.

    Attributes:
        at: the time before it was asked.
        before: the record of what was copied up, then.
    """

    run: Path
    there: dict[str, Object]
    at: float
    before: Stamps


def is_ahead(listed: Listed) -> bool:
    """Say whether a store holds nothing that did not come from this folder, or has come to it.

    A run that trains on this machine may be copying up meanwhile: what was so before the store was
    asked is as good as what is so now.
    """
    before, now = listed.before, Record(listed.run).stamps
    if not now and listed.there:
        return False
    known = all(
        stamp_of(found) in (before.get(name), now.get(name), stamp_of_copy(listed.run / name))
        or PENDING in (before.get(name), now.get(name))
        for name, found in listed.there.items()
    )
    missing = [name for name in before if name not in listed.there]
    return known and all(PENDING in (before[name], now.get(name, PENDING)) for name in missing)


def stamp_of_copy(path: Path) -> list[int] | None:
    """Return what the record has of the object that a file is a copy of."""
    found = Object.copied(path)
    return None if found is None else stamp_of(found)


def stamp_of(found: Object) -> list[int]:
    """Return what the record has of an object."""
    return [found.size, found.stamp]
