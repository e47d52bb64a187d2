"""Which split an utterance belongs to."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from snac_cache.manifests.sources import Source

VAL_FOLDERS = ("val", "valid", "validation", "dev")


@dataclass
class Grouping:
    """What utterances of one group, such as a speaker, have in common: a part of their ids.

    Attributes:
        pattern: searched in the id; its first group is the part, or without one all it matches.
        unmatched: ids so far in which nothing was found; each is a group of its own.
    """

    pattern: re.Pattern[str]
    unmatched: int = 0

    def key(self, utterance_id: str) -> str:
        """Return the part of an id that names its group, else the id."""
        match = self.pattern.search(utterance_id)
        if part := match and ((self.pattern.groups and match[1]) or match[0]):
            return part
        self.unmatched += 1
        return utterance_id


@dataclass(frozen=True)
class SplitRule:
    """How one source is split: as told, by its own folders, or by a hash of a path or a group.

    Attributes:
        told: the split of the whole source.
        folders: its own splits, by the name of their folders.
        val_ratio: share of the hashes that is for validation.
    """

    folders: dict[str, str]
    val_ratio: float
    grouping: Grouping | None = None
    told: str | None = None

    @classmethod
    def of(cls, source: Source, val_ratio: float, grouping: Grouping | None = None) -> Self:
        """Keep the splits of a source that holds ``train/`` and one of ``VAL_FOLDERS``."""
        if source.split:
            return cls({}, val_ratio, told=source.split)
        val = next((name for name in VAL_FOLDERS if (source.path / name).is_dir()), None)
        if val and (source.path / "train").is_dir():
            return cls({"train": "train", val: "val"}, val_ratio)
        return cls({}, val_ratio, grouping)

    def hashed(self, place: Path, utterance_id: str) -> float | None:
        """Return in [0, 1) what decides a file's split; None if its source or folder does.

        Args:
            place: the file's path within its source, without its ending.
        """
        if self.told or self.folders:
            return None
        return hash_fraction(self.grouping.key(utterance_id) if self.grouping else place.as_posix())

    def split(self, place: Path, hashed: float | None) -> str | None:
        """Return ``train``, ``val``, or None for a file outside the source's split folders."""
        if hashed is None:
            return self.told or self.folders.get(place.parts[0])
        return "val" if hashed < self.val_ratio else "train"


def hash_fraction(text: str) -> float:
    """Map text to [0, 1), evenly and for ever: adding files never moves old ones."""
    encoded = text.encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(encoded, digest_size=8).digest()) / 2**64
