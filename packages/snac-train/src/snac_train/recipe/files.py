"""Recipes as TOML files: packaged phases, a user's own, and those that extend another."""

import tomllib
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from snac_common.errors import BadInput
from snac_train.recipe.settings import build
from snac_train.recipe.tables import Recipe

Tables = dict[str, dict[str, Any]]
Phase = int | str

EXTENDS = "extends"  # names a phase, or a file beside the one that says so


def packaged_tables(phase: Phase) -> Tables:
    """Return the resolved tables of a phase's recipe; raises BadInput if there is no such phase."""
    phases = _phases()
    if str(phase) not in phases:
        raise BadInput(
            f"--phase {phase}: there is no recipe for it; there is one for {', '.join(phases)}. "
            "One in a file is taken with --recipe FILE"
        )
    tables = tomllib.loads(phases[str(phase)].read_text(encoding="utf-8"))
    base = tables.pop(EXTENDS, None)
    return tables if base is None else merged(packaged_tables(base), tables)


def named_tables(name: Path) -> Tables:
    """Return the tables of a packaged recipe by its name, or else of the recipe in a file.

    Raises:
        BadInput: as ``file_tables`` does.
    """
    if not name.exists() and str(name) in _phases():
        return packaged_tables(str(name))
    return file_tables(name)


def file_tables(path: Path) -> Tables:
    """Return the tables of the recipe in a file, resolved.

    Raises:
        BadInput: naming the file, if it holds no whole recipe, or what it extends does not.
    """
    tables = _resolved(path, ())
    try:
        build(Recipe, tables)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
    return tables


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return the base's tables with the fields of others in place of theirs."""
    result = dict(base)
    for name, table in over.items():
        both = isinstance(table, Mapping) and isinstance(base.get(name), Mapping)
        result[name] = {**base[name], **table} if both else table
    return result


def _resolved(path: Path, before: tuple[Path, ...]) -> Tables:
    """Read a file and what it extends; ``before`` are those that extend it."""
    if path.resolve() in before:
        raise BadInput(f"{path} extends itself: remove extends from one of these files")
    tables = _read(path)
    base = tables.pop(EXTENDS, None)
    if base is None:
        return tables
    if type(base) not in (str, int):
        raise BadInput(f"{path}: extends must name a phase or a file, not {base!r}")
    if str(base) in _phases():
        return merged(packaged_tables(base), tables)
    other = path.parent / str(base)
    if not other.is_file():
        raise BadInput(
            f"{path} extends {base}, which is neither a phase ({', '.join(_phases())}) nor a file "
            f"beside it"
        )
    return merged(_resolved(other, (*before, path.resolve())), tables)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInput(
            f"there is no recipe {path}: give a file, or one of {', '.join(_phases())}"
        ) from error
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read the recipe {path}: {error}") from error


def _phases() -> dict[str, Traversable]:
    folder = resources.files("snac_train.recipe") / "phases"
    files = {entry.name.removesuffix(".toml"): entry for entry in folder.iterdir()}
    return {name: files[name] for name in sorted(files) if files[name].name != name}
