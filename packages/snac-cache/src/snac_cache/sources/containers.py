"""The files of a source that are of one form, in the order of their paths."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from snac_cache.manifests.formats import ending, is_readable
from snac_cache.manifests.walk import walk
from snac_cache.sources.entry import SPLIT_NAMES, Entry
from snac_common.errors import BadInput

SPLIT_IN_NAME = re.compile(r"(train|training|val|valid|validation|dev|test)(?=[-_.]|$)")


@dataclass(frozen=True)
class Container:
    """A file that tells of utterances.

    Attributes:
        path: absolute.
        place: path within the source, without ending.
        here: the path of its content: its own, or that of a copy.
        told: the split that its name tells, where the names of its source's files tell splits.
    """

    path: str
    place: str
    told: str | None = None
    here: str = ""


def find_containers(
    source: Path, endings: tuple[str, ...], *, others: bool = True
) -> Iterator[Container | Entry]:
    """Yield files of some endings below a folder, or the file itself; and what is beside them.

    Files named ``train-...`` and ``validation-...`` keep these splits.

    Args:
        others: yield audio that lies beside as entries with the problem ``other_format``.

    Raises:
        BadInput: if there is none.
    """
    paths = [str(source.absolute())] if source.is_file() else list(_walk(source))
    base = str((source.parent if source.is_file() else source).absolute())
    mine = [path for path in paths if path.lower().endswith(endings) or source.is_file()]
    if not mine:
        raise BadInput(f"{source} has no files that end in {', '.join(endings)}")
    told = {path: _told(path) for path in mine}
    splits = {SPLIT_NAMES.get(name) for name in told.values() if name}
    keep = {"train", "val"} <= splits
    for path in paths:
        place = os.path.relpath(path, base)
        if path in told:
            yield Container(path, _bare(place, endings), told[path] or "" if keep else None)
        elif others and is_readable(os.path.basename(path)):
            detail = "it lies beside files of another form: give it as a source of its own"
            yield Entry(place, path, problem=("other_format", detail))


def _walk(folder: Path) -> Iterator[str]:
    """Yield files below a folder, those of a folder that is there twice once."""
    for where, _, names, _ in walk(folder.absolute(), _raise):
        yield from (os.path.join(where, name) for name in sorted(names) if name[:2] != "._")


def _raise(error: OSError) -> None:
    raise BadInput(f"the folder {error.filename} cannot be listed: {error.strerror}") from error


def _told(path: str) -> str | None:
    found = SPLIT_IN_NAME.match(os.path.basename(path))
    return found[1] if found else None


def _bare(place: str, endings: tuple[str, ...]) -> str:
    """Return a path without its ending."""
    known = max((end for end in endings if place.lower().endswith(end)), key=len, default="")
    return place[: -len(known)] if known else place.removesuffix(ending(place))
