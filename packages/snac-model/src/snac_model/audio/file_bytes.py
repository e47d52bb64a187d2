"""The bytes of an audio file, wherever they lie: on the disk, in a tar, in a parquet file.

Nothing is unpacked and nothing is kept open: a file's place is opened for as long as it is read. Of
a file in an object store see ``distant_bytes``.
"""

import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from snac_common.addresses import local
from snac_common.seekable import Seekable
from snac_model.audio.distant_bytes import (
    Distant,
    Held,
    distant,
    open_distant,
    read_part,
    telling_what_is_missing,
)
from snac_model.audio.error import AudioError, describe
from snac_model.audio.locators import Locator

Read = Callable[[int, int], bytes]  # of so many bytes from a place

BLOCK = 512  # bytes, of which a tar is made
MOST_HEADERS = 2**20  # bytes that the headers before a member may take: long names, and the like


class Window(Seekable):
    """Some bytes of an open file, as a file of their own.

    Reads are at a place of their own, so that nobody else's reads of the descriptor matter.
    """

    def __init__(self, descriptor: int, first: int, size: int) -> None:
        super().__init__(size)
        self.descriptor = descriptor
        self.first = first

    def block(self, count: int, at: int) -> bytes:
        """Return up to ``count`` bytes from ``at``."""
        return os.pread(self.descriptor, min(count, max(self.size - at, 0)), self.first + at)

    def readinto(self, buffer: Any) -> int:
        """Read on."""
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), max(self.size - self._at, 0))
        count = os.preadv(self.descriptor, [view[:wanted]], self.first + self._at)
        self._at += count
        return count


@contextmanager
def open_bytes(where: Locator) -> Iterator[Window | Held | Distant]:
    """Open what a locator leads to, the whole of it whatever its segment is.

    Raises:
        AudioError: ``not_a_file`` for a pipe, a device or a folder; ``torn_tar`` where a tar has
            no such member; else ``unreadable``.
        Failure: if an object store cannot be reached, or does not allow it.
    """
    if (address := distant(where.path)) is not None:
        with telling_what_is_missing():
            yield _distant(address, where)
        return
    where = replace(where, path=str(local(where.path)))
    if where.cell:
        from snac_model.audio.parquet_cells import read_cell

        with _opened(where.path):
            pass
        yield Held(read_cell(where.path, *where.cell))
        return
    with _opened(where.path) as descriptor:
        first, size = 0, _size(descriptor)
        if where.member:
            read = partial(_pread, descriptor)
            first, size = _member(read, size, *where.member)
        yield Window(descriptor, first, size)


def _distant(address: str, where: Locator) -> Held | Distant:
    """Open what is in an object store."""
    if where.cell:
        from snac_model.audio.parquet_cells import read_cell

        return Held(read_cell(address, *where.cell))
    if not where.member:
        return open_distant(address)
    first, end = where.member
    content = read_part(address, first, end)

    def read(count: int, at: int) -> bytes:
        return content[at - first : at - first + count]

    at, length = _member(read, first + len(content), first, end)
    return Held(content[at - first : at - first + length])


def _pread(descriptor: int, count: int, at: int) -> bytes:
    return os.pread(descriptor, count, at)


@contextmanager
def _opened(path: str) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # never waits for a pipe's writer
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise AudioError("unreadable", describe(error)) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _size(descriptor: int) -> int:
    """Return the bytes of an open file, which must be a regular one."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
        raise AudioError("not_a_file", f"this is {kind}, not a file")
    return status.st_size


def _member(read: Read, size: int, first: int, end: int) -> tuple[int, int]:
    """Return where the first file in some bytes of a tar begins, and how long it is.

    It is behind the headers that tell of its name.
    """
    at, stop = first, min(end, first + MOST_HEADERS, size - BLOCK + 1)
    while at < stop:
        kind, length = _header(read(BLOCK, at), at)
        at += BLOCK
        if kind in tarfile.REGULAR_TYPES:
            if at + length > min(end, size):
                raise AudioError("torn_tar", f"the tar ends within this file: {size} bytes")
            return at, length
        at += -(-length // BLOCK) * BLOCK
    raise _no_file(first)


def _header(block: bytes, at: int) -> tuple[bytes, int]:
    """Return the type and the size of what a header of a tar tells of.

    tarfile's own parser takes four times as long, of all that a file in a tar takes most.
    """
    try:
        told, size = _number(block[148:156]), _number(block[124:136])
    except ValueError as error:
        raise _no_file(at) from error
    if told != 8 * ord(" ") + sum(block[:148]) + sum(block[156:]):
        raise _no_file(at)
    return block[156:157], max(size, 0)


def _number(field: bytes) -> int:
    """Read a number as a tar has it, in octal digits, or in bytes if it is too large for them.

    Raises:
        ValueError: if it is none.
    """
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:])
    return int(field.split(b"\0")[0].strip() or b"0", 8)


def _no_file(at: int) -> AudioError:
    return AudioError("torn_tar", f"the tar has no file at byte {at}: it is damaged, or another")
