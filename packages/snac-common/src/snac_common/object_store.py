"""Object stores, through fsspec: whole objects up and down, lists, and errors for people.

An object is put with one call, so it is whole or absent, also when the process is killed within:
parts of a large one that were uploaded before are not seen by anyone. Libraries retry what fails
for a moment; what they give up on is a Failure.
"""

import errno
import os
import zlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from snac_common.errors import Failure
from snac_common.seekable import Seekable
from snac_common.store_access import CARRIES_ON, telling

_VERSIONS = ("ETag", "etag", "md5Hash", "blob_id", "LastModified", "created", "mtime")
_TIMES = ("LastModified", "last_modified", "updated", "last_commit", "created", "mtime")


@dataclass(frozen=True)
class Object:
    """What a store says of an object.

    Attributes:
        size: in bytes.
        stamp: when it was last written, in nanoseconds, of which those below a second are a hash
            of its version. A copy has this as its own time of writing, and so tells, with its
            size, which version it is of.
    """

    size: int
    stamp: int

    @classmethod
    def of(cls, info: dict[str, Any]) -> "Object":
        """Return it from what fsspec says."""
        version = next((str(info[name]) for name in _VERSIONS if info.get(name)), "")
        written = next((info[name] for name in _TIMES if info.get(name)), 0)
        if isinstance(written, str):
            written = datetime.fromisoformat(written)
        seconds = written.timestamp() if isinstance(written, datetime) else float(written)
        return cls(info["size"], int(seconds) * 10**9 + zlib.crc32(version.encode()) % 10**9)

    @classmethod
    def copied(cls, path: Path) -> "Object | None":
        """Return which object a file is a copy of, by its size and time; None if there is none."""
        try:
            status = path.stat()
        except OSError:
            return None
        return cls(status.st_size, status.st_mtime_ns)

    def mark(self, copy: Path) -> None:
        """Give a copy the time that tells which object it is of."""
        os.utime(copy, ns=(self.stamp, self.stamp))


def list_objects(address: str) -> dict[str, Object]:
    """Return the objects below an address by their paths there; an object's own path is ``""``.

    One request for a thousand of them.

    Raises:
        Failure: if the store cannot be reached or does not allow it, or there is no such bucket.
    """
    with telling("list", address) as (files, key):
        found = files.find(key, detail=True)
        root = files._strip_protocol(key)
        if not found and "/" not in root.strip("/"):
            files.ls(key)  # an empty bucket is listed, one that is not there is an error
        return {
            name.removeprefix(root).lstrip("/"): Object.of(info)
            for name, info in found.items()
            if info["type"] == "file" and not name.endswith("/")
        }


def upload(path: Path, address: str) -> Object:
    """Put a file, whole or not at all, and return what the store says of it then.

    Raises:
        Failure: if that was not possible.
    """
    with telling("write", address) as (files, key):
        files.put_file(os.fspath(path), key)
        return Object.of(files.info(key))


def download(address: str, path: Path) -> Object:
    """Write an object into a file, and mark that as its copy.

    Raises:
        FileNotFoundError: if it is not there.
        Failure: if it cannot be had.
    """
    with telling("read", address) as (files, key):
        found = Object.of(files.info(key))
        files.get_file(key, os.fspath(path))
    if path.stat().st_size != found.size:
        raise Failure(f"{address} was replaced while it was read. {CARRIES_ON}")
    found.mark(path)
    return found


def read(address: str, start: int | None = None, end: int | None = None) -> bytes:
    """Return the bytes of an object, or those from ``start`` up to ``end``, by one request.

    There are fewer where the object ends before.

    Raises:
        FileNotFoundError: if it is not there.
        Failure: if it cannot be had.
    """
    with telling("read", address) as (files, key):
        try:
            content: bytes = files.cat_file(key, start=start, end=end)
        except OSError as error:
            if error.errno != errno.EINVAL:  # what s3fs makes of a range behind the end
                raise
            content = b""
        return content


def delete(*addresses: str) -> None:
    """Delete objects one after the other; those that are gone already are no error.

    Raises:
        Failure: if that was not possible.
    """
    for address in addresses:
        with telling("delete", address) as (files, key), suppress(FileNotFoundError):
            files.rm_file(key)


class Ranges(Seekable):
    """An object as a file: each read is one request, so readers shall ask for much at once."""

    def __init__(self, address: str) -> None:
        self.address = address
        with telling("read", address) as (files, key):
            super().__init__(int(files.info(key)["size"]))

    def readinto(self, buffer: Any) -> int:
        """Read on."""
        view = memoryview(buffer).cast("B")
        end = min(self._at + len(view), self.size)
        content = read(self.address, self._at, end) if end > self._at else b""
        view[: len(content)] = content
        self._at += len(content)
        return len(content)
