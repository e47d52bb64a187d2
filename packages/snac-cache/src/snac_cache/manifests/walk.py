"""Folders below a folder, in order, through links but in no circles."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple


class Walked(NamedTuple):
    """A folder, and what is in it.

    Attributes:
        subfolders: in order; those that are removed from this list are not walked.
        same_as: the folder that this one is too, by links; it is not looked into again, so nothing
            is in it. None for one that is seen first.
    """

    folder: str
    subfolders: list[str]
    names: list[str]
    same_as: str | None = None


def walk(root: Path, onerror: Callable[[OSError], object] | None = None) -> Iterator[Walked]:
    """Yield a folder and all below it.

    Args:
        onerror: told of folders that cannot be listed, which are left out.
    """
    visited: dict[str, str] = {}
    for folder, subfolders, names in os.walk(root, followlinks=True, onerror=onerror):
        real = os.path.realpath(folder)
        if real in visited:
            subfolders.clear()
            yield Walked(folder, subfolders, [], visited[real])
            continue
        visited[real] = folder
        subfolders.sort()
        yield Walked(folder, subfolders, names)
