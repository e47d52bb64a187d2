"""Finding targets that exist already: files that mirror the sources; free of torch."""

import os
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

from snac_cache.manifests.formats import READABLE
from snac_cache.targets.choice import GivenFolder
from snac_common.addresses import address
from snac_model.audio.header import AudioError
from snac_model.audio.locators import is_plain

ENDINGS = [form for ending in (".flac", *READABLE) for form in (ending, ending.upper())]


class GivenFiles:
    """Finds the file that is meant to be a row's target.

    Args:
        folders: whose files mirror the sources' paths, whatever their endings are; none for the
            files that the manifest names.
    """

    def __init__(self, folders: tuple[GivenFolder, ...]) -> None:
        self.folders = folders

    def find(self, row: dict[str, Any]) -> Path | None:
        """Return the absolute path of a row's file, the one that shares most of its path.

        Raises:
            AudioError: ``ambiguous_target``, if two could be meant.
        """
        if not self.folders:
            return _absolute(row["target_path"]) if row["target_path"] else None
        parts = _place(row)
        folders = [given.path for given in self.folders if given.split in (None, row["split"])]
        for start in range(len(parts)):
            inside = parts[start:]
            found = {path for folder in folders if (path := _file_at(folder, inside))}
            if len(found) > 1:
                raise AudioError("ambiguous_target", _both(*sorted(found)[:2]))
            if found:
                return found.pop()
        return None


def _absolute(where: str) -> Path:
    return Path(address(where) or os.path.abspath(where))


def _place(row: dict[str, Any]) -> tuple[str, ...]:
    """Return what a row's file is to mirror: its path, or its id where it is no file of its own."""
    if is_plain(row["audio_path"]):
        return PurePath(row["audio_path"]).with_suffix("").parts[1:]
    return PurePath(row["utterance_id"]).parts


def _both(first: Path, second: Path) -> str:
    return (
        f"{first} and {second} could both be its target: say which folder belongs to which split, "
        "--from train=DIR --from val=DIR"
    )


def _file_at(folder: Path, inside: tuple[str, ...]) -> Path | None:
    """Return the audio file at a path without ending; of several, flac comes first."""
    *parents, name = inside
    place = os.path.join(folder, *parents)
    if not _is_folder(place):
        return None
    paths = (os.path.join(place, name + ending) for ending in ENDINGS)
    return next((Path(path) for path in paths if os.path.isfile(path)), None)


@lru_cache(4096)
def _is_folder(path: str) -> bool:
    return os.path.isdir(path)
