"""Where the recordings lie that a table names."""

import os
from collections.abc import Iterator

from snac_cache.manifests.formats import READABLE, UNREADABLE, ending
from snac_common.addresses import is_address, said

FOLDERS = ("", "clips", "wavs", "audio")  # beside a table, of Common Voice, LJSpeech and others
ENDINGS = ("", ".wav", ".flac", ".mp3", ".ogg", ".opus")


class Recordings:
    """Finds the files that a table names: relative to it, or to the folder a command runs in.

    Tables that name files without ending, or without the folder beside the table that all of them
    are in, are understood.
    """

    def __init__(self, folder: str) -> None:
        self.folder = os.path.abspath(folder)
        self._last = ("", "")

    def path(self, name: str) -> str:
        """Return the absolute path of a file; of one that is nowhere, where it should be.

        An address in an object store stays what it is.
        """
        if is_address(name):
            return said(name)
        if os.path.isabs(name):
            return os.path.normpath(name)
        for folder, end in [self._last, *self._ways(name)]:
            path = os.path.join(self.folder, folder, name + end)
            if os.path.isfile(path):
                self._last = (folder, end)
                return os.path.normpath(path)
        here = os.path.abspath(name)
        return here if os.path.isfile(here) else os.path.normpath(os.path.join(self.folder, name))

    def place(self, path: str) -> str:
        """Return what an id is made of: the path within the folder, without ending."""
        inside = os.path.relpath(path, self.folder)
        if is_address(path):
            inside = path.partition("://")[2].partition("/")[2]
        elif inside.startswith(".."):
            inside = path.lstrip("/")
        known = ending(inside) in (*READABLE, *UNREADABLE)
        return inside[: -len(ending(inside))] if known else inside

    def _ways(self, name: str) -> Iterator[tuple[str, str]]:
        has_ending = ending(name) in (*READABLE, *UNREADABLE)
        for end in ENDINGS[:1] if has_ending else ENDINGS:
            yield from ((folder, end) for folder in FOLDERS)
