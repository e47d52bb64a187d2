"""lhotse's cuts, as JSON lines, and its Shar: cuts beside tars of their audio."""

import os
import re
from collections.abc import Iterator
from typing import Any

from snac_cache.manifests.find import Problem, Span
from snac_cache.manifests.sources import Source
from snac_cache.sources.columns import Columns
from snac_cache.sources.containers import Container, find_containers
from snac_cache.sources.entry import Entry
from snac_cache.sources.lines import JSON_LINES, Row, read_json_objects
from snac_cache.sources.recordings import Recordings
from snac_cache.sources.tar_index import Member, index_tar

SHAR_CUTS = re.compile(r"cuts\.(\d+)\.jsonl(?:\.gz)?")
POINTER = re.compile(r"(.+\?o=\d+&e=\d+)(?:&n=[^&]*(?:&s=1)?)?", re.DOTALL)
NO_AUDIO = (".nodata", ".nometa")


def read_lhotse(source: Source, columns: Columns) -> Iterator[Entry]:
    """Yield the utterances of cuts: of their files, or of the tars of a Shar beside them.

    Raises:
        BadInput: if there are no cuts, or they cannot be read.
    """
    for found in find_containers(source.path, JSON_LINES, others=False):
        if isinstance(found, Container):
            yield from _of_cuts(found, columns)


def _of_cuts(cuts: Container, columns: Columns) -> Iterator[Entry]:
    folder, name = os.path.split(cuts.path)
    shar = SHAR_CUTS.fullmatch(name)
    tar = os.path.join(folder, f"recording.{shar[1]}.tar") if shar else ""
    members: dict[str, str] = {}
    if os.path.isfile(tar):
        yield from _index(tar, members, cuts)
    elif os.path.isfile(f"{tar}.gz"):
        problem = "compressed_tar", "unpack it to a .tar, with gunzip: files lie in its middle"
        yield Entry(cuts.place, f"{tar}.gz", problem=problem)
    recordings = Recordings(folder)
    for line, cut in read_json_objects(cuts.path):
        place = f"{cuts.place}/{line:06d}"
        if isinstance(cut, tuple):
            yield Entry(place, cuts.path, cuts.place, problem=cut)
            continue
        try:
            yield _entry(cut, cuts, members, recordings, columns)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            problem = "bad_line", f"line {line} is no cut: {error!r}"
            yield Entry(place, cuts.path, cuts.place, problem=problem)
    for key, audio in members.items():
        problem = "no_cut", f"{name} has no cut of this audio"
        yield Entry(key, audio, cuts.place, problem=problem)


def _index(tar: str, members: dict[str, str], cuts: Container) -> Iterator[Entry]:
    """Find the audio of a Shar by the ids of its cuts; yield what is wrong with the tar."""
    for member in index_tar(tar):
        if not isinstance(member, Member):
            yield Entry(cuts.place, tar, cuts.place, problem=member)
            continue
        key, end = os.path.splitext(member.name)
        if end in (".json", *NO_AUDIO):
            continue
        if key in members:
            problem = "duplicate_key", f"the tar holds audio of {key} more than once"
            yield Entry(key, member.locator(tar), cuts.place, problem=problem)
        else:
            members[key] = member.locator(tar)


def _entry(
    cut: Row, cuts: Container, members: dict[str, str], recordings: Recordings, columns: Columns
) -> Entry:
    name = str(cut["id"])
    audio, problem = _audio(cut, members, recordings)
    span = None
    if name in members:
        del members[name]  # it is the cut alone, whatever it was cut from
    elif not problem:
        start = float(cut["start"])
        span = Span(start, start + float(cut["duration"]))
    said = {} if problem else columns.kept(_said(cut))
    return Entry(name, audio or cuts.path, cuts.place, cuts.told, span, said, problem)


def _audio(
    cut: Row, members: dict[str, str], recordings: Recordings
) -> tuple[str | None, Problem | None]:
    """Return where a cut's audio lies, or why it cannot be taken."""
    if cut.get("type", "MonoCut") != "MonoCut":
        return None, ("unsupported_cut", f"a cut of type {cut['type']} is not one recording's part")
    recording = cut.get("recording")
    if not recording:
        return None, ("no_recording", "the cut has no recording")
    if str(cut["id"]) in members:
        return members[str(cut["id"])], None
    if recording.get("transforms"):
        return None, ("transformed", "its recording is to be changed when it is read")
    sources = recording["sources"]
    channels = {channel for one in sources for channel in one.get("channels", [0])}
    if len(channels) > 1 or len(sources) > 1:
        detail = f"it is one of {len(channels)} channels: write each channel to a file"
        return None, ("one_channel", detail)
    return _source(sources[0]["type"], str(sources[0]["source"]), recordings)


def _source(kind: str, where: str, recordings: Recordings) -> tuple[str | None, Problem | None]:
    if kind == "file":
        return recordings.path(where), None
    if kind == "shar_ptr" and (found := POINTER.fullmatch(where)):
        path, _, place = found[1].rpartition("?")
        return f"{recordings.path(path)}?{place}", None
    if kind == "shar":
        return None, ("no_audio", "its audio is not in the tar beside its cuts")
    if kind == "command":
        return None, ("pipe", f"it is the output of a command, which is not run: {where}")
    return None, ("unsupported_source", f"audio of the kind {kind} cannot be read from where it is")


def _said(cut: Row) -> dict[str, Any]:
    """Return what a cut and its supervisions say; of several, their texts one after another."""
    said: dict[str, Any] = dict(cut.get("custom") or {})
    supervisions = cut.get("supervisions") or []
    for name in ("text", "speaker", "language", "gender"):
        values = [one[name] for one in supervisions if one.get(name)]
        if name == "text" and values:
            said[name] = " ".join(values)
        elif len(set(values)) == 1:
            said[name] = values[0]
    for one in supervisions[:1] if len(supervisions) == 1 else []:
        said |= one.get("custom") or {}
    return said
