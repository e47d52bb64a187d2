"""Finding audio files in folders, with their ids and splits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snac_cache.manifests.formats import (
    TARS,
    UNREADABLE,
    UNSUPPORTED,
    ending,
    how_to_convert,
    is_readable,
    unsupported,
)
from snac_cache.manifests.sources import Source
from snac_cache.manifests.splits import Grouping, SplitRule
from snac_cache.manifests.target_folders import target_folders
from snac_cache.manifests.walk import walk
from snac_common.console import note
from snac_common.errors import Failure

TARGET_FOLDER = "target_folder"
TAR_BESIDE = "other_format", "a tar beside audio files: give it as a source of its own"
Problem = tuple[str, str]


@dataclass(frozen=True)
class Span:
    """The part of a recording that an utterance is.

    Attributes:
        start: in seconds.
        stop: in seconds; None for the recording's end.
    """

    start: float
    stop: float | None


@dataclass(frozen=True)
class Found:
    """An utterance found in a source before it is looked into, or what is left out of one.

    Attributes:
        path: of a file or folder; or a locator.
        hashed: in [0, 1), what decided the split; None where folders did.
        problem: why a file or folder is left out, as a short reason and a sentence.
        span: the part of the audio that is meant; None for all of it.
        columns: what else its source says of it.
    """

    path: Path
    utterance_id: str
    split: str | None
    hashed: float | None = None
    problem: Problem | None = None
    span: Span | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)


def find_audio(
    sources: list[Source],
    val_ratio: float,
    grouping: Grouping | None = None,
    *,
    with_targets: bool = True,
) -> Iterator[Found]:
    """Find the audio of all sources, in the order of its paths.

    An id is the name of its source, and the path within it without the ending; the split is
    decided by the path within the source. So another source or file changes nothing for these.

    Args:
        val_ratio: share for validation, of sources that have no splits of their own.
        with_targets: leave out folders that hold the audio of others at 48 kHz; they come with the
            problem ``target_folder``, and the folder whose audio they hold.

    Raises:
        Failure: if a folder cannot be listed for another reason than a permission.
    """
    beside = _beside_each_other(sources) if with_targets else {}
    for source in sources:
        if source.path in beside:
            problem = (TARGET_FOLDER, str(beside[source.path]))
            yield Found(source.path, source.name, None, problem=problem)
            continue
        rule = SplitRule.of(source, val_ratio, grouping)
        if grouping and rule.folders:
            note(f"{source.path} keeps its own splits: --group-by does not apply to it")
        for path, left_out in _paths(source.path, with_targets):
            yield _found(source, rule, path, left_out)


def _found(source: Source, rule: SplitRule, path: Path, problem: Problem | None) -> Found:
    relative = path.relative_to(source.path) if path != source.path else Path(path.name)
    place = relative if problem else relative.with_suffix("")
    utterance_id = f"{source.name}/{place.as_posix()}" if source.name else place.as_posix()
    if problem:
        return Found(path, utterance_id, None, problem=problem)
    hashed = rule.hashed(place, utterance_id)
    return Found(path, utterance_id, rule.split(place, hashed), hashed)


def _beside_each_other(sources: list[Source]) -> dict[Path, Path]:
    """Return which sources hold the audio of another one at 48 kHz."""
    by_parent: dict[Path, dict[str, Path]] = {}
    for source in sources:
        if source.path.is_dir():
            path = source.path.resolve()
            by_parent.setdefault(path.parent, {})[path.name] = source.path
    return {
        paths[name]: paths[sibling]
        for parent, paths in by_parent.items()
        for name, sibling in target_folders(parent, list(paths)).items()
    }


def _paths(source: Path, with_targets: bool) -> Iterator[tuple[Path, Problem | None]]:
    """Yield audio files below a folder in the order of their paths, through links but no loops.

    Folders that are not looked into come with their problem, and so does audio that nothing reads.
    """
    if source.is_file():
        known = ending(source.name) not in UNREADABLE
        yield source, None if known else (UNSUPPORTED, how_to_convert(source.name))
        return
    forbidden: list[OSError] = []
    for folder, subfolders, names, same_as in walk(source, forbidden.append):
        yield from _left_out(forbidden)
        if same_as:
            yield Path(folder), ("duplicate_folder", f"it is the same folder as {same_as}")
        elif with_targets:
            yield from _take_out_targets(Path(folder), subfolders)
        yield from _files(Path(folder), names)
    yield from _left_out(forbidden)


def _take_out_targets(folder: Path, subfolders: list[str]) -> Iterator[tuple[Path, Problem]]:
    """Remove folders of targets from those that are to be looked into, and yield them."""
    for name, sibling in target_folders(folder, subfolders).items():
        subfolders.remove(name)
        yield folder / name, (TARGET_FOLDER, str(folder / sibling))


def _files(folder: Path, names: list[str]) -> Iterator[tuple[Path, Problem | None]]:
    problems = {name: (UNSUPPORTED, how_to_convert(name)) for name in unsupported(names)}
    problems |= {name: TAR_BESIDE for name in names if name.lower().endswith(TARS)}
    for name in sorted(names):
        if name in problems or is_readable(name):
            yield folder / name, problems.get(name)


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
