"""NeMo's manifests: JSON lines of a path, an offset and a duration; of tarred data too."""

import os
import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from snac_cache.manifests.find import Problem
from snac_cache.manifests.sources import Source
from snac_cache.sources.columns import Columns
from snac_cache.sources.containers import Container, find_containers
from snac_cache.sources.entry import Entry
from snac_cache.sources.lines import JSON_LINES, Row, read_json_objects
from snac_cache.sources.recordings import Recordings
from snac_cache.sources.table import row_entry
from snac_cache.sources.tar_index import Member, index_tar

SHARD = "shard_id"
NUMBERED = re.compile(r".*?(\d+)\.tar")
AGAIN = re.compile(r"-sub\d+(?=\.[^.]*$|$)")  # of rows that are segments of one file in a tar
SHARDS_KEPT = 4  # rows of a shard lie together


def read_nemo(source: Source, columns: Columns) -> Iterator[Entry]:
    """Yield the utterances of manifests, in the order of their lines.

    Raises:
        BadInput: if a manifest cannot be read, or names no audio.
    """
    columns = Columns({"start": "offset", "duration": "duration", **columns.given})
    for found in find_containers(source.path, JSON_LINES, others=False):
        if not isinstance(found, Container):
            continue
        folder = os.path.dirname(found.path)
        recordings, shards = Recordings(folder), _Shards(Path(folder))
        for line, row in read_json_objects(found.path):
            if isinstance(row, dict) and isinstance(row.get(SHARD), int):
                yield from _tarred(found, line, row, columns, shards)
            else:
                yield row_entry(found, line, row, columns, recordings)


def _tarred(
    table: Container, line: int, row: Row, columns: Columns, shards: "_Shards"
) -> Iterator[Entry]:
    """Yield the utterance of a row, behind what is wrong with its tar when it is first read."""
    number, name = row[SHARD], str(row.get("audio_filepath"))
    tar, members, problems = shards.open(number)
    for problem in problems:
        yield Entry(f"{table.place}/{number}", tar or table.path, table.place, problem=problem)
    locator = members.get(name) or members.get(AGAIN.sub("", name))
    if locator:
        place = f"{Path(str(tar)).stem}/{os.path.splitext(AGAIN.sub('', name))[0]}"
        yield row_entry(table, line, row, columns, _Member(locator, place))
    else:
        missing = "no_audio", f"line {line}: there is no {name} in the tar of shard {number}"
        yield Entry(f"{table.place}/{line:06d}", tar or table.path, table.place, problem=missing)


@dataclass(frozen=True)
class _Member:
    """Where the audio of one row lies."""

    locator: str
    its_place: str

    def path(self, name: str) -> str:
        return self.locator

    def place(self, path: str) -> str:
        return self.its_place


Shard = tuple[str | None, dict[str, str], list[Problem]]


class _Shards:
    """The tars beside a manifest, or beside the folder that it is in, by their numbers."""

    def __init__(self, folder: Path) -> None:
        self._tars: dict[int, str] = {}
        for place in (folder.parent, folder):
            for path in sorted(place.glob("*.tar")):
                if found := NUMBERED.fullmatch(path.name):
                    self._tars[int(found[1])] = str(path)
        self._open: OrderedDict[int, dict[str, str]] = OrderedDict()

    def open(self, number: int) -> Shard:
        """Return a tar's path, its files by name, and what is wrong if it is read for it."""
        problems: list[Problem] = []
        tar = self._tars.get(number)
        if number not in self._open:
            self._open[number] = {}
            for found in index_tar(tar) if tar else ():
                if isinstance(found, Member):
                    self._open[number].setdefault(found.name, found.locator(str(tar)))
                else:
                    problems.append(found)
            while len(self._open) > SHARDS_KEPT:
                self._open.popitem(last=False)
        return tar, self._open[number], problems
