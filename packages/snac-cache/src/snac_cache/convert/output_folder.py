"""A folder of results that are named by ids: each id has a file of its own, within the folder."""

import errno
import os
from pathlib import Path, PurePosixPath

from snac_cache.convert.rejects import Unusable
from snac_common.files import LONGEST_NAME, clear_leftovers

LONGEST_PATH = 4000  # bytes; Linux takes 4,095, and temporary names are a little longer
_BAD_NAME = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ELOOP, errno.ENOTDIR}


def path_of(utterance_id: str) -> PurePosixPath:
    """Return an id as a relative path, in its one normal form.

    Raises:
        Unusable: ``bad_name``, if the id is no path within a folder.
    """
    path = PurePosixPath(utterance_id)
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise Unusable("bad_name", "the id is no path within a folder", utterance_id)
    return path


class OutputFolder:
    """Hands out places in a folder, and makes the folders below it as they are needed.

    Links below it are not followed, so that nothing is written elsewhere; itself may be one. What
    killed commands left in the folders that are written to is cleared.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: set[str] = set()
        self.folders: set[str] = set()

    def claim(self, name: str, utterance_id: str) -> None:
        """Reserve a file, by its path within the folder in normal form.

        Raises:
            Unusable: ``duplicate_id``, if an id of this path came before; ``bad_name``, if the
                system takes no such name, or if there is a link or a file where a folder must be.
        """
        if not self.folders:
            self._make("")
        if name in self.files:
            raise Unusable("duplicate_id", f"an id came before that names {name}", utterance_id)
        problem = self._problem(name)
        if problem is None:
            problem = self._prepare(name)
        if problem is not None:
            raise Unusable("bad_name", problem, utterance_id)
        self.files.add(name)

    def _problem(self, name: str) -> str | None:
        """Say what is wrong with a name, whatever is on the disk."""
        try:
            lengths = [len(part.encode()) for part in name.split("/")]
        except UnicodeEncodeError:
            return "the id is no valid text"
        if "\0" in name:
            return "the id holds a NUL character"
        longest = max(lengths)
        if longest > LONGEST_NAME or len(os.fsencode(self.root / name)) > LONGEST_PATH:
            return f"the file's name would be too long for the system ({longest} bytes)"
        if name in self.folders:
            return f"{name} is a folder of other ids"
        return None

    def _prepare(self, name: str) -> str | None:
        """Make the folders of a file, or say what stands in the way."""
        parts = name.split("/")
        try:
            for count in range(1, len(parts)):
                folder = "/".join(parts[:count])
                if folder not in self.folders and (problem := self._make(folder)):
                    return problem
            path = self.root / name
            return f"{path} is a folder" if path.is_dir() and not path.is_symlink() else None
        except OSError as error:
            if error.errno in _BAD_NAME:
                return f"the system takes no such name: {error.strerror}"
            raise

    def _make(self, folder: str) -> str | None:
        """Make one folder whose parent is there, or say what is in its place."""
        path = self.root / folder
        if folder in self.files:
            return f"{folder} is the file of another id"
        if folder and path.is_symlink():
            return f"{path} is a link, which may lead out of the folder"
        if folder and path.exists() and not path.is_dir():
            return f"{path} is a file"
        path.mkdir(parents=not folder, exist_ok=True)
        clear_leftovers(path)
        self.folders.add(folder)
        return None
