"""What a scan is given: folders and files, each with the name that its ids start with."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from snac_common.errors import BadInput


@dataclass(frozen=True)
class Source:
    """A folder of audio, or one file.

    Attributes:
        name: what ids start with; empty for nothing.
        split: of all its utterances; None leaves it to the folder's own splits, or to a hash.
    """

    path: Path
    name: str
    split: str | None = None

    @property
    def folder(self) -> Path:
        """The folder that ids are relative to."""
        return self.path if self.path.is_dir() else self.path.parent


def named_sources(
    paths: Sequence[Path], train: Sequence[Path] = (), val: Sequence[Path] = ()
) -> list[Source]:
    """Return the sources of a manifest, named by their folders, whatever else is given.

    Where a folder for training and one for validation have the same name, the names of both start
    with their split.

    Args:
        train: folders whose utterances are all for training; ``val`` likewise.

    Raises:
        BadInput: if one does not exist, or the ids of two could not be told apart.
    """
    sources = [Source(path, _name(path)) for path in paths]
    told = [Source(path, _name(path), "train") for path in train]
    told += [Source(path, _name(path), "val") for path in val]
    in_both = {source.name for source in told if source.split == "train"}
    in_both &= {source.name for source in told if source.split == "val"}
    sources += [
        replace(source, name=f"{source.split}/{source.name}") if source.name in in_both else source
        for source in told
    ]
    _check_different(sources)
    return sources


def loose_sources(paths: Sequence[Path]) -> list[Source]:
    """Return sources without splits: a single one has no name, files those of their folders.

    Raises:
        BadInput: if one does not exist.
    """
    names = [_name(path) for path in paths]
    if len(paths) == 1:
        return [Source(paths[0], "", "train")]
    return [
        Source(path, name if path.is_dir() else _place(path), "train")
        for path, name in zip(paths, names, strict=True)
    ]


def _name(path: Path) -> str:
    """Return the name of a folder, or of the one that a single file lies in."""
    if not path.exists():
        raise BadInput(f"there is no folder or file {path}")
    return (path if path.is_dir() else path.parent).resolve().name


def _place(file: Path) -> str:
    """Return the path that a file was given by, without its own name."""
    return "/".join(part for part in file.parent.parts if part not in (file.anchor, ".."))


def _check_different(sources: list[Source]) -> None:
    """Raise BadInput if the ids of two folders could not be told apart."""
    counts = Counter(source.name for source in sources if source.path.is_dir())
    for source in sources:
        if counts[source.name] > 1:
            raise BadInput(
                f"two sources are called {source.name!r}, one of them {source.path}: ids start "
                "with the name of their source. Rename one of the folders, or give a link of "
                "another name: ln -s FOLDER NAME."
            )
