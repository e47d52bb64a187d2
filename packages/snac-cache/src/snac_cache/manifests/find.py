"""Finding audio files in folders, with their ids and splits."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from snac_cache.manifests.splits import Grouping, SplitRule
from snac_model.console import note
from snac_model.errors import BadInput

COMMON = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3")
OTHERS = (".aif", ".aifc", ".aiff", ".au", ".caf", ".rf64", ".snd", ".w64")
EXTENSIONS = frozenset((*COMMON, *OTHERS))  # what libsndfile reads and people have


@dataclass(frozen=True)
class AudioFile:
    """A file found in a source, before it is looked into."""

    path: Path
    utterance_id: str
    split: str | None


def find_audio(
    sources: list[Path], val_ratio: float, grouping: Grouping | None = None
) -> Iterator[AudioFile]:
    """Find the audio of all sources, in the order of its paths.

    If there are several sources, ids start with the name of theirs, or for a file that is a source
    itself, with the path that it was given by.

    Raises:
        BadInput: if a source does not exist.
    """
    for source in sources:
        if not source.exists():
            raise BadInput(f"there is no folder or file {source}")
        prefix = _prefix(source) if len(sources) > 1 else ""
        rule = SplitRule.of(source, val_ratio, grouping)
        if grouping and rule.folders:
            note(f"{source} keeps its own splits: --group-by does not apply to it")
        for path in _audio_paths(source):
            relative = path.relative_to(source) if path != source else Path(path.name)
            utterance_id = prefix + relative.with_suffix("").as_posix()
            yield AudioFile(path, utterance_id, rule.split(relative, utterance_id))


def _prefix(source: Path) -> str:
    """Return what the ids of one source of several start with."""
    if source.is_dir():
        return f"{source.resolve().name}/"
    folders = [part for part in source.parent.parts if part not in (source.anchor, "..")]
    return "".join(f"{folder}/" for folder in folders)


def _audio_paths(source: Path) -> Iterator[Path]:
    """Yield audio files below a folder in the order of their paths, through links but no loops."""
    if source.is_file():
        yield source
        return
    visited: set[str] = set()
    for folder, subfolders, names in os.walk(source, followlinks=True):
        real = os.path.realpath(folder)
        if real in visited:
            subfolders.clear()
            continue
        visited.add(real)
        subfolders.sort()
        for name in sorted(names):
            if os.path.splitext(name)[1].lower() in EXTENSIONS and not name.startswith("._"):
                yield Path(folder, name)
