"""What every form of corpus comes down to: utterances, before their audio is looked into."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snac_cache.manifests.find import Found, Problem, Span
from snac_cache.manifests.sources import Source
from snac_cache.manifests.splits import VAL_FOLDERS, SplitRule

SPLIT_NAMES = {"train": "train", "training": "train", **dict.fromkeys(VAL_FOLDERS, "val")}


@dataclass(frozen=True)
class Entry:
    """An utterance that a source tells of.

    Attributes:
        place: what its id is made of, behind the name of its source; what it is split by.
        audio: an absolute path or a locator.
        folders: path within the source of the file that tells of it: the splits of its folders.
        told: name of the split that the source itself says, such as ``train`` or ``test``.
        span: the part of the audio that is meant; None for all of it.
        columns: what else the source says of it.
        problem: why it is left out.
    """

    place: str
    audio: str
    folders: str = ""
    told: str | None = None
    span: Span | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    problem: Problem | None = None

    def found(self, source: Source, rule: SplitRule) -> Found:
        """Give it its id and its split."""
        place = _encodable(self.place) or "unnamed"
        name = f"{source.name}/{place}" if source.name else place
        split, hashed = None, None
        if not self.problem:
            if self.told is not None and not source.split:
                split = SPLIT_NAMES.get(self.told.lower())
            else:
                hashed = rule.hashed(Path(place), name)
                split = rule.split(Path(self.folders or place), hashed)
        return Found(Path(self.audio), name, split, hashed, self.problem, self.span, self.columns)


def _encodable(text: str) -> str:
    """Return text that can be hashed and stored; JSON may hold halves of characters."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text
