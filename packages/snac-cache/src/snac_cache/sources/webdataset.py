"""WebDataset: tars in which the files of an utterance have one name and different endings."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from snac_cache.manifests.find import Problem
from snac_cache.manifests.formats import UNSUPPORTED, how_to_convert, is_readable, unsupported
from snac_cache.manifests.sources import Source
from snac_cache.sources.columns import Columns
from snac_cache.sources.containers import Container, find_containers
from snac_cache.sources.entry import Entry
from snac_cache.sources.listed import borrowed
from snac_cache.sources.tar_index import Member, index_tar

TARS = (".tar",)
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
TEXTS = ("txt", "lab")
KEY = re.compile(r"((?:.*/)?[^/.]+)\.([^/]*)", re.DOTALL)


@dataclass
class _Sample:
    """The files of one key."""

    audio: list[Member] = field(default_factory=list)
    unread: list[Member] = field(default_factory=list)
    texts: list[Member] = field(default_factory=list)
    jsons: list[Member] = field(default_factory=list)


def read_webdataset(source: Source, columns: Columns) -> Iterator[Entry]:
    """Yield the utterances of the tars of a source, in the order in which they lie there."""
    for found in find_containers(source.path, (*TARS, *COMPRESSED)):
        if isinstance(found, Entry):
            yield found
        elif found.path.lower().endswith(COMPRESSED):
            detail = "there is no reading a file out of the middle of a compressed tar: unpack it "
            problem = "compressed_tar", f"{detail}to a .tar, such as with gunzip"
            yield Entry(found.place, found.path, problem=problem)
        else:
            yield from _of_tar(found, columns)


def _of_tar(tar: Container, columns: Columns) -> Iterator[Entry]:
    samples: dict[str, _Sample] = {}
    with borrowed(tar.path) as here:
        tar = replace(tar, here=here)
        for member in index_tar(here):
            if isinstance(member, Member):
                yield from _sort_in(member, samples, tar)
            else:
                yield Entry(tar.place, tar.path, problem=member)
        told = any(sample.audio and (sample.texts or sample.jsons) for sample in samples.values())
        for key, sample in samples.items():
            yield _entry(key, sample, tar, columns, _problem(sample, told))


def _sort_in(member: Member, samples: dict[str, _Sample], tar: Container) -> Iterator[Entry]:
    """Put a file with the others of its key; yield it where one of its name is there already."""
    found = KEY.fullmatch(member.name)
    key, end = (found[1], found[2].lower()) if found else (member.name, "")
    sample = samples.setdefault(key, _Sample())
    kind = _kind(sample, os.path.basename(member.name), end)
    if any(other.name == member.name for other in kind):
        problem = "duplicate_key", f"the tar holds {member.name} more than once"
        yield Entry(f"{tar.place}/{key}", member.locator(tar.path), problem=problem)
    else:
        kind.append(member)


def _kind(sample: _Sample, name: str, end: str) -> list[Member]:
    last = end.rpartition(".")[2]
    if is_readable(f"_.{last}") and not name.startswith("._"):
        return sample.audio
    if last == "json":
        return sample.jsons
    return sample.texts if last in TEXTS else sample.unread


def _entry(
    key: str, sample: _Sample, tar: Container, columns: Columns, problem: Problem | None
) -> Entry:
    said = {}
    if not problem:
        try:
            said = columns.kept(_said(sample, tar.here))
        except ValueError as error:
            problem = "bad_sidecar", f"what lies beside it cannot be read: {error}"
    first = next(iter((*sample.audio, *sample.unread, *sample.texts, *sample.jsons)))
    audio = first.locator(tar.path)
    place = f"{tar.place}/{key}"
    return Entry(place, audio, tar.place, tar.told, columns=said, problem=problem)


def _problem(sample: _Sample, told: bool) -> Problem | None:
    if len(sample.audio) > 1:
        names = ", ".join(member.name for member in sample.audio)
        return "several_audios", f"of one key, the name up to its first dot, there are {names}"
    if not sample.audio:
        names_of = [member.name for member in sample.unread]
        if unread := unsupported(list(map(os.path.basename, names_of))):
            return UNSUPPORTED, how_to_convert(unread[0])
        return "no_audio", "there is no audio beside it in the tar"
    if told and not (sample.texts or sample.jsons):
        return "no_sidecar", "the tar has text beside its other audio, and none beside this"
    return None


def _said(sample: _Sample, path: str) -> dict[str, Any]:
    """Return what lies beside the audio; raises ValueError if it cannot be read."""
    said: dict[str, Any] = {}
    for member, content in _contents((*sample.jsons, *sample.texts), path):
        if member in sample.texts:
            said["text"] = content.decode().strip()
            continue
        found = json.loads(content)
        if not isinstance(found, dict):
            raise ValueError(f"{member.name} holds no object")
        said |= found
    return said


def _contents(members: tuple[Member, ...], path: str) -> Iterator[tuple[Member, bytes]]:
    if members:
        with open(path, "rb", buffering=0) as file:
            for member in members:
                yield member, os.pread(file.fileno(), member.size, member.data)
