"""Finding audio files in folders, with their ids and splits."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from snac_cache.manifests.splits import Grouping, SplitRule
from snac_common.console import note
from snac_common.errors import BadInput, Failure

COMMON = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3")
OTHERS = (".aif", ".aifc", ".aiff", ".au", ".caf", ".rf64", ".snd", ".w64")
EXTENSIONS = frozenset((*COMMON, *OTHERS))  # what libsndfile reads and people have


@dataclass(frozen=True)
class Found:
    """A file found in a source before it is looked into, or a folder that is left out.

    Attributes:
        problem: why a folder is left out, as a short reason and a sentence.
    """

    path: Path
    utterance_id: str
    split: str | None
    problem: tuple[str, str] | None = None


def find_audio(
    sources: list[Path],
    val_ratio: float | None,
    grouping: Grouping | None = None,
    *,
    always_named: bool = True,
) -> Iterator[Found]:
    """Find the audio of all sources, in the order of its paths.

    An id is the name of its source, and the path within it without the ending; the split is
    decided by the path within the source. So another source or file changes nothing for these.

    Args:
        val_ratio: share for validation; None for no splits at all, whatever folders there are.
        always_named: as told above; else the ids of a single source start with no name, and those
            of several files with the folders that each was given by.

    Raises:
        BadInput: if a source does not exist, or two have one name.
        Failure: if a folder cannot be listed for another reason than a permission.
    """
    names = [_name(source) for source in sources]
    if always_named:
        _check_different(sources, names)
    elif len(sources) == 1:
        names = [""]
    else:
        names = [_place(source) for source in sources]
    for source, name in zip(sources, names, strict=True):
        rule = SplitRule.of(source, val_ratio, grouping)
        if grouping and rule.folders:
            note(f"{source} keeps its own splits: --group-by does not apply to it")
        for path, problem in _paths(source):
            relative = path.relative_to(source) if path != source else Path(path.name)
            place = relative if problem else relative.with_suffix("")
            utterance_id = f"{name}/{place.as_posix()}" if name else place.as_posix()
            split = None if problem else rule.split(place, utterance_id)
            yield Found(path, utterance_id, split, problem)


def _name(source: Path) -> str:
    """Return the name of a source: of the folder, or of the one that a single file lies in."""
    if not source.exists():
        raise BadInput(f"there is no folder or file {source}")
    return (source if source.is_dir() else source.parent).resolve().name


def _place(source: Path) -> str:
    """Return the name of a folder, or the path that a file was given by without its own name."""
    if source.is_dir():
        return source.resolve().name
    return "/".join(part for part in source.parent.parts if part not in (source.anchor, ".."))


def _check_different(sources: list[Path], names: list[str]) -> None:
    """Raise BadInput if the ids of two folders could not be told apart."""
    folders = [source.is_dir() for source in sources]
    counts = Counter(name for name, is_folder in zip(names, folders, strict=True) if is_folder)
    for source, name in zip(sources, names, strict=True):
        if counts[name] > 1:
            raise BadInput(
                f"two sources are called {name!r}, one of them {source}: ids start with the name "
                "of their source. Rename one of the folders, or give a link of another name."
            )


Problem = tuple[str, str] | None


def _paths(source: Path) -> Iterator[tuple[Path, Problem]]:
    """Yield audio files below a folder in the order of their paths, through links but no loops.

    Folders that are not looked into come with their problem.
    """
    if source.is_file():
        yield source, None
        return
    visited: dict[str, str] = {}
    forbidden: list[OSError] = []
    for folder, subfolders, names in os.walk(source, followlinks=True, onerror=forbidden.append):
        yield from _left_out(forbidden)
        real = os.path.realpath(folder)
        if real in visited:
            subfolders.clear()
            yield Path(folder), ("duplicate_folder", f"it is the same folder as {visited[real]}")
            continue
        visited[real] = folder
        subfolders.sort()
        for name in sorted(names):
            if os.path.splitext(name)[1].lower() in EXTENSIONS and not name.startswith("._"):
                yield Path(folder, name), None
    yield from _left_out(forbidden)


def _left_out(errors: list[OSError]) -> Iterator[tuple[Path, Problem]]:
    """Yield folders that this user may not list; any other error means that the disk is at fault.

    Raises:
        Failure: naming the folder, for then nobody knows what would be missing.
    """
    while errors:
        error = errors.pop(0)
        if not isinstance(error, PermissionError):
            raise Failure(
                f"the folder {error.filename} cannot be listed: {error.strerror}. Nothing was "
                "written; see to the disk and run this again."
            )
        note(f"the folder {error.filename} is left out: {error.strerror}")
        yield Path(error.filename), ("unreadable", f"the folder cannot be listed: {error.strerror}")
