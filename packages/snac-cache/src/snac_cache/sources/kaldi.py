"""Kaldi's data folders: ``wav.scp``, ``segments``, ``text``, ``utt2spk``."""

from collections.abc import Iterator
from pathlib import Path

from snac_cache.manifests.find import Problem, Span
from snac_cache.manifests.sources import Source
from snac_cache.sources.columns import Columns
from snac_cache.sources.entry import Entry
from snac_cache.sources.lines import read_pairs
from snac_cache.sources.recordings import Recordings
from snac_cache.sources.table import number
from snac_common.errors import BadInput

RECORDINGS, SEGMENTS = "wav.scp", "segments"
SAID = {
    "text": "text",
    "utt2spk": "speaker",
    "utt2lang": "language",
    "spk2gender": "gender",
}


def read_kaldi(source: Source, columns: Columns) -> Iterator[Entry]:
    """Yield the utterances of a folder, in the order of ``segments``, or else of ``wav.scp``.

    Raises:
        BadInput: if ``wav.scp`` is not there, or a file cannot be read.
    """
    folder = source.path
    if not (folder / RECORDINGS).is_file():
        raise BadInput(f"{folder} has no {RECORDINGS}: it is no folder of Kaldi's")
    recordings = Recordings(str(folder))
    audio = _Recorded(folder, recordings)
    said = {name: dict(_pairs(folder / file)) for file, name in SAID.items()}
    gender = said.pop("gender")
    for line, name, where, span, trouble in _utterances(folder, audio):
        found = {column: values[name] for column, values in said.items() if name in values}
        if found.get("speaker") in gender:
            found["gender"] = gender[found["speaker"]]
        path = str((folder / RECORDINGS).absolute()) if where is None else where
        silent = said["text"] and "text" not in found
        none = ("no_text", f"line {line} names it, and the file text does not") if silent else None
        problem = trouble or none
        yield Entry(name, path, span=span, columns=columns.kept(found), problem=problem)


class _Recorded:
    """The recordings of ``wav.scp``, by their names."""

    def __init__(self, folder: Path, recordings: Recordings) -> None:
        self.lines: dict[str, tuple[int, str | None, Problem | None]] = {}
        self.repeated: list[tuple[int, str]] = []
        for line, name, where in read_pairs(str(folder / RECORDINGS)):
            if name in self.lines:
                self.repeated.append((line, name))
            else:
                self.lines[name] = (line, *_audio(where, recordings))


def _audio(where: str, recordings: Recordings) -> tuple[str | None, Problem | None]:
    """Return the path that a line of ``wav.scp`` gives, or why it cannot be read."""
    if where.endswith("|") or where.startswith("|"):
        detail = f"it is the output of a command, which is not run: {where}. Write it to a file"
        return None, ("pipe", detail)
    if not where:
        return None, ("no_audio", "the line of wav.scp names no file")
    if where.rpartition(":")[2].isdecimal() and ".ark:" in where:
        return None, ("unsupported_format", "audio in a Kaldi archive (ark) cannot be read")
    return recordings.path(where), None


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    if path.is_file():
        yield from ((key, rest) for _, key, rest in read_pairs(str(path)))


Utterance = tuple[int, str, str | None, Span | None, Problem | None]


def _utterances(folder: Path, audio: _Recorded) -> Iterator[Utterance]:
    for line, name in audio.repeated:
        yield line, name, None, None, ("duplicate_key", f"wav.scp names {name} more than once")
    if not (folder / SEGMENTS).is_file():
        for name, (line, where, problem) in audio.lines.items():
            yield line, name, where, None, problem
        return
    used = set()
    for line, name, rest in read_pairs(str(folder / SEGMENTS)):
        recording, span, problem = _segment(rest)
        used.add(recording)
        if recording not in audio.lines:
            missing = problem or ("no_recording", f"wav.scp has no recording {recording}")
            yield line, name, None, None, missing
        else:
            _, where, trouble = audio.lines[recording]
            yield line, name, where, span, trouble or problem
    for name, (line, where, problem) in audio.lines.items():
        if name not in used:
            none = problem or ("no_segments", "no line of segments names this recording")
            yield line, name, where, None, none


def _segment(rest: str) -> tuple[str, Span | None, Problem | None]:
    """Read a line of ``segments`` behind the utterance's name: recording, start, end, channel."""
    fields = rest.split()
    try:
        recording, begin, end = fields[:3]
        start, stop = number(begin) or 0.0, number(end)
        if stop == -1:
            stop = None  # Kaldi's way to say: to its end
        if start < 0 or (stop is not None and stop <= start):
            raise ValueError(f"from {begin} to {end}")
    except ValueError as error:
        return fields[0] if fields else "", None, ("bad_segment", f"no segment: {rest} ({error})")
    if len(fields) > 3 and fields[3] not in ("0", "-1"):
        detail = f"channel {fields[3]} alone cannot be read: write each channel to a file"
        return recording, None, ("one_channel", detail)
    return recording, Span(start, stop), None
