"""Where a target goes: a file of its own for each id, within the folder."""

import os
from pathlib import Path, PurePosixPath

from snac_model.audio.header import AudioError

ENDING = ".flac"
LONGEST_NAME, LONGEST_PATH = 255, 4000  # bytes; Linux takes 4,095 in a path
BAD_NAME = "bad_name"


def target_place(split: str, utterance_id: str) -> str:
    """Return the path of a target within the folder of targets.

    Raises:
        AudioError: ``bad_name``, if an id leads out of the folder, is not the only way to write
            its path, or makes a name that no file can have.
    """
    if "\0" in utterance_id:
        raise AudioError(BAD_NAME, "the id holds a NUL character")
    path = PurePosixPath(utterance_id)
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise AudioError(BAD_NAME, "the id is no path within a folder")
    if str(path) != utterance_id:
        raise AudioError(BAD_NAME, f"the id names the same file as {str(path)!r}: write it so")
    place = f"{split}/{utterance_id}{ENDING}"
    longest = max(len(os.fsencode(part)) for part in place.split("/"))
    if longest > LONGEST_NAME or len(os.fsencode(place)) > LONGEST_PATH:
        raise AudioError(BAD_NAME, f"the file's name would be too long ({longest} bytes)")
    return place


def has_shards(folder: Path) -> bool:
    """Say whether the targets in a folder are in tars."""
    return any(folder.glob("*/part-*.*.tar"))


def check_way(folder: Path, place: str) -> None:
    """Look at what is on the way to a target: folders, and neither links nor files.

    Raises:
        AudioError: ``bad_name``, naming what stands in the way.
    """
    *parents, _ = PurePosixPath(place).parts
    path = folder
    for name in parents:
        path = path / name
        if path.is_symlink():
            raise AudioError(BAD_NAME, f"{path} is a link, which may lead out of the folder")
        if path.exists() and not path.is_dir():
            raise AudioError(BAD_NAME, f"{path}, a file, is where this id needs a folder")
    path = folder / place
    if path.is_symlink():
        raise AudioError(BAD_NAME, f"{path} is a link, which may lead out of the folder")
    if path.is_dir():
        raise AudioError(BAD_NAME, f"{path} is a folder of other ids")
