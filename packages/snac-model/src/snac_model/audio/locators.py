"""Where audio lies, as one text: a file, or a place inside a tar, a parquet file, a recording.

- ``TAR?o=OFFSET&e=END``: the first file in these bytes of a tar, its header included (lhotse's own
  form).
- ``PARQUET?g=GROUP&r=ROW&c=COLUMN``: a value of binary data; the row is counted in its row group.
- ``?start=FRAME&frames=COUNT``, after a path or after one of the others: these frames alone, as if
  they were a file of their own.

A file whose name happens to look like one of these is what it is: a file.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

_FORM = re.compile(
    r"(?P<path>.+?)\?(?=[ogs])"
    r"(?:o=(?P<o>\d{1,18})&e=(?P<e>\d{1,18})"
    r"|g=(?P<g>\d{1,18})&r=(?P<r>\d{1,18})&c=(?P<c>[^&?/]+))?"
    r"(?:(?:(?<=\?)|&)start=(?P<start>\d{1,18})&frames=(?P<frames>\d{1,18}))?",
    re.DOTALL | re.ASCII,
)


@dataclass(frozen=True)
class Locator:
    """Where audio lies.

    Attributes:
        path: the file on the disk.
        member: first and last byte, exclusive, of a part of a tar.
        cell: row group, row in it and column of a value in a parquet file.
        segment: first frame and number of frames; None for all.
    """

    path: str
    member: tuple[int, int] | None = None
    cell: tuple[int, int, str] | None = None
    segment: tuple[int, int] | None = None

    def __str__(self) -> str:
        """Return the text that ``parse`` understands."""
        said = []
        if self.member:
            said.append("o={}&e={}".format(*self.member))
        if self.cell:
            group, row, column = self.cell
            said.append(f"g={group}&r={row}&c={quote(column, safe='')}")
        if self.segment:
            said.append("start={}&frames={}".format(*self.segment))
        return f"{self.path}?{'&'.join(said)}" if said else self.path


def parse(where: str | Path) -> Locator:
    """Take a locator apart; any other text is a path."""
    text = os.fspath(where)
    found = _FORM.fullmatch(text)
    if not found or os.path.lexists(text):
        return Locator(text)
    part = found.groupdict()
    return Locator(
        part["path"],
        (int(part["o"]), int(part["e"])) if part["o"] else None,
        (int(part["g"]), int(part["r"]), unquote(part["c"])) if part["g"] else None,
        (int(part["start"]), int(part["frames"])) if part["start"] else None,
    )


def file_of(where: str | Path) -> Path:
    """Return the file on the disk that audio lies in."""
    return Path(parse(where).path)


def named_file(text: str) -> str:
    """Return the path in a locator, or in a path, without a look at the disk."""
    found = _FORM.fullmatch(text)
    return found["path"] if found else text


def is_plain(where: str | Path) -> bool:
    """Say whether audio is a file of its own."""
    return parse(where) == Locator(os.fspath(where))
