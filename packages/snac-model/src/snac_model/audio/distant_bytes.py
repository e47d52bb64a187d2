"""The bytes of audio in an object store: few requests, each for much.

A file is fetched whole by one request, a file within a tar by one for its range. What was fetched
last is kept, as one file is asked for its header, its fingerprint and its samples in turn. A long
recording, of which segments are wanted, is read where it is asked for, a megabyte at a time.
"""

import io
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snac_common.addresses import address, local
from snac_common.object_store import Ranges, read
from snac_model.audio.error import AudioError, describe

LARGE = 32 * 2**20  # bytes; four minutes of 48 kHz audio as FLAC, more of speech
MOST_KEPT = 64 * 2**20  # bytes, of a process
AT_ONCE = 2**20  # bytes, of a large file

Key = tuple[str, int, int]


class Held(io.BytesIO):
    """Bytes in memory, with the interface of ``audio_bytes.Window``."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.size = len(content)

    def block(self, count: int, at: int) -> bytes:
        """Return up to ``count`` bytes from ``at``."""
        return bytes(self.getbuffer()[at : at + count])


class Distant(io.BufferedReader):
    """A large object, with the interface of ``audio_bytes.Window``."""

    def __init__(self, where: str) -> None:
        ranges = Ranges(where)
        super().__init__(ranges, AT_ONCE)
        self.where = where
        self.size = ranges.size

    def block(self, count: int, at: int) -> bytes:
        """Return up to ``count`` bytes from ``at``."""
        return read(self.where, at, min(at + count, self.size)) if at < self.size else b""


class _Kept:
    """What was fetched last."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, as in a forked process: another thread may have held the lock."""
        self.lock = threading.Lock()
        self.contents: OrderedDict[Key, bytes] = OrderedDict()

    def find(self, key: Key) -> bytes | None:
        with self.lock:
            if key in self.contents:
                self.contents.move_to_end(key)
            return self.contents.get(key)

    def add(self, key: Key, content: bytes) -> None:
        with self.lock:
            self.contents[key] = content
            while sum(map(len, self.contents.values())) > MOST_KEPT:
                self.contents.popitem(last=False)


_kept = _Kept()
os.register_at_fork(after_in_child=_kept.forget)


def distant(path: str) -> str | None:
    """Return the address of a file that is in an object store alone.

    Targets that were made on this machine are here too, and of a corpus that is listed there are
    empty files.
    """
    where = address(path)
    if where is None:
        return None
    here: Path = local(path)
    return None if here.is_file() and here.stat().st_size else where


def open_distant(where: str) -> Held | Distant:
    """Open an object.

    Raises:
        FileNotFoundError: if it is not there.
        Failure: if it cannot be had.
    """
    content = read_part(where, 0, LARGE)
    return Held(content) if len(content) < LARGE else Distant(where)


def read_part(where: str, first: int, end: int) -> bytes:
    """Return bytes of an object, as many as there are of those that are asked for.

    Raises:
        FileNotFoundError: if it is not there.
        Failure: if it cannot be had.
    """
    content = _kept.find((where, first, end))
    if content is None:
        content = read(where, first, end)
        _kept.add((where, first, end), content)
    return content


@contextmanager
def telling_what_is_missing() -> Iterator[None]:
    """Turn an object that is not there into AudioError ``unreadable``."""
    try:
        yield
    except FileNotFoundError as error:
        raise AudioError("unreadable", describe(error)) from error
