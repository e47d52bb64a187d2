"""Which split an utterance belongs to."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

VAL_FOLDERS = ("val", "valid", "validation", "dev")


@dataclass(frozen=True)
class SplitRule:
    """How one source is split: by its own folders, or by a hash of the id."""

    folders: dict[str, str]
    val_ratio: float

    @classmethod
    def of(cls, source: Path, val_ratio: float) -> Self:
        """Keep the splits of a source that holds ``train/`` and one of ``VAL_FOLDERS``."""
        val = next((name for name in VAL_FOLDERS if (source / name).is_dir()), None)
        if val and (source / "train").is_dir():
            return cls({"train": "train", val: "val"}, val_ratio)
        return cls({}, val_ratio)

    def split(self, relative: Path, utterance_id: str) -> str | None:
        """Return ``train``, ``val``, or None for a file outside the source's split folders."""
        if self.folders:
            return self.folders.get(relative.parts[0])
        return "val" if hash_fraction(utterance_id) < self.val_ratio else "train"


def hash_fraction(text: str) -> float:
    """Map text to [0, 1), evenly and for ever: adding files never moves old ones."""
    encoded = text.encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(encoded, digest_size=8).digest()) / 2**64
