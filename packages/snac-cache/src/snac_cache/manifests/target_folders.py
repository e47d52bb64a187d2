"""Folders that hold the audio of the folder beside them at 48 kHz: targets, and no more speech."""

import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePath

from snac_cache.manifests.formats import is_readable

AT_48K = re.compile(r"[ _.-]*48(000|[ _.-]?k)?(hz)?$", re.IGNORECASE)
AT_OTHER = re.compile(
    r"[ _.-]*(8|16|22|24|32|44)([.,]?(000|05|050|1|100))?[ _.-]?k?(hz)?$", re.IGNORECASE
)
FILES_COMPARED = 64


def target_folders(parent: Path, names: Sequence[str]) -> dict[str, str]:
    """Return which of some folders hold the audio of another of them at 48 kHz.

    By both of two signs: their names differ in nothing but the rate, as ``audio`` and
    ``audio_48khz``, ``wav16`` and ``wav48`` do; and most of their files have equal names. Equal
    file names alone are those of two speakers.

    Args:
        parent: the folder that they are in.

    Returns:
        The names of such folders, each with the folder whose audio it has.
    """
    plain: dict[str, str] = {}
    for name in names:
        if not AT_48K.search(name):
            plain.setdefault(_without(AT_OTHER, name), name)
    found = {}
    for name in names:
        sibling = plain.get(_without(AT_48K, name)) if AT_48K.search(name) else None
        if sibling is not None and _have_equal_names(parent / name, parent / sibling):
            found[name] = sibling
    return found


def _without(mark: re.Pattern[str], name: str) -> str:
    return mark.sub("", name).lower()


def _have_equal_names(folder: Path, other: Path) -> bool:
    """Say whether most of the first files of a folder have one of the same name in another."""
    there: dict[str, set[str]] = {}
    common = 0
    files = list(islice(_audio_below(folder), FILES_COMPARED))
    for place in files:
        inside = os.path.dirname(place)
        if inside not in there:
            there[inside] = _stems(other / inside)
        common += PurePath(place).stem in there[inside]
    return 2 * common > len(files)


def _audio_below(folder: Path) -> Iterator[str]:
    """Yield paths of audio within a folder."""
    for where, subfolders, names in os.walk(folder):
        subfolders.sort()
        for name in sorted(filter(is_readable, names)):
            yield os.path.relpath(os.path.join(where, name), folder)


def _stems(folder: Path) -> set[str]:
    try:
        return {PurePath(name).stem for name in os.listdir(folder)}
    except OSError:  # it is not there
        return set()
