"""A file that lines are added to, and that can be cut back to where a checkpoint saw it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from snac_common.errors import Failure
from snac_common.files import flush_to_disk
from snac_common.full_disk import told_when_full


class AppendedLines:
    """JSON objects, one a line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._count: int | None = None

    def append(self, fields: dict[str, object]) -> int:
        """Add a line, and return its number, from 0."""
        number = self._counted()
        with told_when_full(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(fields, ensure_ascii=False, allow_nan=False) + "\n")
        self._count = number + 1
        return number

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the lines there are."""
        if self.path.exists():
            with self.path.open(encoding="utf-8") as file:
                yield from map(json.loads, file)

    def _counted(self) -> int:
        if self._count is None:
            lines = self.path.read_bytes().count(b"\n") if self.path.exists() else 0
            self._count = lines
        return self._count

    def flushed(self) -> int:
        """Have the lines written to the disk, and return how many bytes they are."""
        if not self.path.exists():
            return 0
        flush_to_disk(self.path)
        return self.path.stat().st_size

    def cut(self, size: int) -> None:
        """Remove the lines that were written after a checkpoint: their steps come again.

        Raises:
            Failure: if the file has fewer bytes than it had then.
        """
        present = self.path.stat().st_size if self.path.exists() else 0
        if present < size:
            raise Failure(
                f"{self.path} has {present} bytes, fewer than the {size} that it had at the "
                "checkpoint. Put the file back, or start a new run from the checkpoint's model."
            )
        if present:
            os.truncate(self.path, size)
            self._count = None
