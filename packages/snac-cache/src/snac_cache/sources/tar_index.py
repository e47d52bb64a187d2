"""What a tar holds, from its headers alone: files, with the bytes that they lie in."""

import os
import tarfile
from collections.abc import Iterator
from typing import NamedTuple

from snac_cache.manifests.find import Problem

BLOCK = 512


class Member(NamedTuple):
    """A file in a tar.

    Attributes:
        first: byte of its header, of the one that tells a long name if there is one.
        data: byte of its content.
        size: of its content.
    """

    name: str
    first: int
    data: int
    size: int

    def locator(self, path: str) -> str:
        """Return the locator of its content, in the tar of that path."""
        return f"{path}?o={self.first}&e={self.data + -(-self.size // BLOCK) * BLOCK}"


def index_tar(path: str) -> Iterator[Member | Problem]:
    """Yield the files of a tar in order; links and the like, and a tar's torn end, as problems.

    Every byte is accounted for: after the last file there is nothing but the zeros that end a tar.
    """
    try:
        with open(path, "rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            yield from _members(tar, os.path.getsize(path))
            yield from _after(tar, os.path.getsize(path))
    except tarfile.TarError as error:
        yield "torn_tar", f"it cannot be read as a tar to its end: {error}"
    except OSError as error:
        yield "unreadable", f"the tar cannot be read: {error.strerror}"


def _members(tar: tarfile.TarFile, size: int) -> Iterator[Member | Problem]:
    while info := tar.next():
        tar.members = []  # type: ignore[attr-defined]  # they would grow with the tar
        if info.offset_data + info.size > size and info.isreg():
            yield "torn_tar", f"it ends within the file {info.name}: {size} bytes are there"
            return
        if info.isreg():
            name = info.name.removeprefix("./")
            yield Member(name, info.offset, info.offset_data, info.size)
        elif not info.isdir():
            yield "no_file", f"{info.name} is a link or a device, not a file in the tar"


def _after(tar: tarfile.TarFile, size: int) -> Iterator[Problem]:
    """Say that there is more, or less, than the end of a tar."""
    file = tar.fileobj
    assert file is not None
    if tar.offset > size:
        return  # it was torn, and that is said
    if size - tar.offset < BLOCK:
        yield "torn_tar", "it lacks the zeros that end a tar: files may be missing"
        return
    file.seek(tar.offset)
    while block := file.read(2**20):
        if block.strip(b"\0"):
            yield "torn_tar", f"behind byte {tar.offset} it holds what cannot be read"
            return
