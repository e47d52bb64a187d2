"""Where the targets of a part go: a file each, or all into one tar."""

import io
import secrets
import tarfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Protocol

import torch

from snac_cache.sources.tar_index import Member, index_tar
from snac_cache.targets.notes import TargetNotes
from snac_cache.targets.place import check_way
from snac_cache.targets.target_file import (
    encode_target,
    make_way,
    notes_of,
    read_target,
    write_target,
)
from snac_cache.work.plan import Part
from snac_common.copying import remove
from snac_common.errors import Failure
from snac_common.files import atomic_path, clear_leftovers
from snac_common.full_disk import cannot_write
from snac_model.audio.error import AudioError
from snac_model.audio.file_bytes import open_bytes
from snac_model.audio.locators import file_of, parse


class TargetStore(Protocol):
    """Takes targets, each by its place: the path that it has where it is a file."""

    def check(self, place: str) -> None:
        """Raise AudioError ``bad_name`` if a target cannot go to its place."""
        ...

    def finished(self, place: str, length: int) -> TargetNotes | None:
        """Return what ``read_target`` does, of a target that was made before."""
        ...

    def keep(self, place: str) -> str:
        """Return where a finished target lies, within the folder of targets."""
        ...

    def discard(self, place: str) -> None:
        """Delete what cannot be kept."""
        ...

    def write(self, place: str, target: torch.Tensor, notes: TargetNotes) -> str:
        """Write a target; return where it lies, within the folder of targets."""
        ...


class TargetFiles:
    """A file each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def check(self, place: str) -> None:
        """See ``check_way``."""
        check_way(self.folder, place)

    def finished(self, place: str, length: int) -> TargetNotes | None:
        """See ``read_target``."""
        return read_target(self.folder / place, length)

    def keep(self, place: str) -> str:
        """Return the place."""
        return place

    def discard(self, place: str) -> None:
        """See ``make_way``."""
        make_way(self.folder / place)

    def write(self, place: str, target: torch.Tensor, notes: TargetNotes) -> str:
        """See ``write_target``."""
        write_target(self.folder / place, target, notes)
        return place


class TargetShard:
    """One tar, written as targets are made, and there when the part is finished.

    Each has a name of its own: results that an earlier run wrote never lead into a tar that took
    the place of theirs. What earlier tars of the part hold, or files, is copied, not made again.
    """

    def __init__(self, folder: Path, part: Part, stack: ExitStack) -> None:
        self.root = folder
        self.folder = folder / part.split
        stem = Path(part.name).stem
        self.before = sorted(self.folder.glob(f"{stem}.*.tar"))
        self.path = self.folder / f"{stem}.{secrets.token_hex(4)}.tar"
        self._split = part.split
        self._stack = stack
        self._lock = threading.Lock()
        self._tar: tarfile.TarFile | None = None
        # several tars may hold a target: a run that ended before its results left another one
        self._names = {
            member.locator(str(path)): member.name
            for path in self.before
            for member in index_tar(str(path))
            if isinstance(member, Member)
        }
        self._earlier = {name: locator for locator, name in self._names.items()}

    def check(self, place: str) -> None:
        """Take any place: in a tar, nothing stands in the way."""

    def finished(self, place: str, length: int) -> TargetNotes | None:
        """Decode a target of an earlier tar."""
        locator = self._earlier.get(self._name(place))
        if locator:
            return notes_of(_content(locator), length)
        with suppress(AudioError):  # somebody else's file, which is in nobody's way
            return read_target(self.root / place, length)
        return None

    def keep(self, place: str) -> str:
        """Copy a target of an earlier tar, or one that was a file."""
        if locator := self._earlier.get(self._name(place)):
            return self._add(self._name(place), _content(locator))
        self.before.append(self.root / place)
        return self._add(self._name(place), (self.root / place).read_bytes())

    def copy(self, locator: str) -> str:
        """Copy a target that earlier results lead to, within the folder of targets.

        Raises:
            Failure: if it cannot be read.
        """
        found = str(self.root / locator)
        if found not in self._names:
            raise Failure(
                f"{file_of(found)} is damaged. Give --verify: it makes again what cannot be read."
            )
        return self._add(self._names[found], _content(found))

    def discard(self, place: str) -> None:
        """Leave it in the earlier tar, which goes."""

    def write(self, place: str, target: torch.Tensor, notes: TargetNotes) -> str:
        """Add a target."""
        return self._add(self._name(place), encode_target(target, notes))

    def _name(self, place: str) -> str:
        return place.removeprefix(f"{self._split}/")

    def _add(self, name: str, content: bytes) -> str:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        with self._lock:
            try:
                tar = self._opened()
                first = tar.offset
                tar.addfile(info, io.BytesIO(content))
            except OSError as error:
                raise cannot_write(self.path, error, "Finished parts are kept.") from error
            tar.members.clear()  # type: ignore[attr-defined]
            return f"{self._split}/{self.path.name}?o={first}&e={tar.offset}"

    def _opened(self) -> tarfile.TarFile:
        if self._tar is None:
            clear_leftovers(self.folder)
            temporary = self._stack.enter_context(atomic_path(self.path))
            self._tar = self._stack.enter_context(tarfile.TarFile(temporary, "w"))
        return self._tar

    def remove_earlier(self) -> None:
        """Delete what was copied: nothing leads there once the part's results are written."""
        for path in self.before:
            remove(path)


@contextmanager
def shard_of(folder: Path, part: Part) -> Iterator[TargetShard]:
    """Yield the tar of a part; it is whole when this ends, or not there."""
    with ExitStack() as stack:
        yield TargetShard(folder, part, stack)


def _content(locator: str) -> bytes:
    with open_bytes(parse(locator)) as content:
        return content.block(content.size, 0)
