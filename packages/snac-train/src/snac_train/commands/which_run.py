"""Which run a command means, by its name or by what lies in its folder."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from snac_common.addresses import is_address, place
from snac_common.artifacts import BEST_FOLDERS, RECIPE, Artifacts
from snac_common.errors import BadInput
from snac_common.run_mirror import bring_run, is_small
from snac_common.run_names import HOLDS_A_RUN, no_such_run, run_folders
from snac_train.commands.status import find_runs

CHECKPOINTS = "checkpoints"
SHOWN = 10  # names of runs or checkpoints in a message


class Resumed(NamedTuple):
    """A run that is to go on, from this checkpoint or else from its newest."""

    run: Path
    checkpoint: Path | None = None


def run_folder(places: Artifacts, name: str) -> Path:
    """Return the folder of a run with this name, whether it is there or not.

    Raises:
        BadInput: if it is no name but a path.
    """
    if name in ("", ".", "..") or Path(name).name != name or "\0" in name:
        own = Path(name).name.strip(".") or "first"
        raise BadInput(
            f"--run {name}: a run has a name, not a path, such as {own}; it lies in "
            f"{places.run('')}, or below what --artifacts says"
        )
    return places.run(name)


def existing_run(places: Artifacts, name: str) -> Path:
    """Return the folder of a run that is there; raises BadInput, naming others, if it is not."""
    found = places.run(name)
    if found not in run_folders(places):
        raise no_such_run(name, places)
    return found


def find_resumed(places: Artifacts, name: str | None, where: str | None) -> Resumed:
    """Return the run that ``--resume`` means.

    Args:
        name: what ``--run`` says.
        where: what ``--resume`` says: a run's name or folder, a checkpoint, or what lies in either;
            None for the run of that name, or else the one that wrote last.

    Raises:
        BadInput: if there is no such run, or a run cannot go on from this; says what to do.
    """
    found = _find_resumed(places, name, where and str(_mirrored(where)))
    bring_run(found.run)
    return found


def _find_resumed(places: Artifacts, name: str | None, where: str | None) -> Resumed:
    named = None if name is None else run_folder(places, name)
    if where is None:
        return Resumed(_newest_run(places) if name is None else existing_run(places, name))
    found = _meant(places, where)
    if named is not None and named.resolve() != found.run.resolve():
        raise BadInput(
            f"--resume {where} is of the run {found.run.name}, not of {name}: leave out --run. To "
            f"start a new run from its weights: --phase 12 --base {where} --run {name}"
        )
    return found


def is_there(places: Artifacts, name: str | None) -> bool:
    """Say whether a run has begun; raises BadInput if it has no name.

    Each of several processes asks for itself. One that finds the run that another one has just
    begun reads the same recipe from its folder; whether a checkpoint is loaded is decided by the
    main process for all.
    """
    if name is None:
        raise BadInput("--resume auto: say which run is to start or to go on, by --run NAME")
    run = run_folder(places, name)
    bring_run(run, only=is_small)
    return (run / RECIPE).is_file()


def _mirrored(where: str) -> Path:
    """Return the path of an address, with the run there brought here; others as they are."""
    path = place(where)
    if is_address(where):
        names = path.parts
        depth = names.index(CHECKPOINTS) if CHECKPOINTS in names else len(names)
        bring_run(Path(*names[:depth]))
    return path


def _newest_run(places: Artifacts) -> Path:
    runs = [run for run in find_runs(places) if (run / RECIPE).is_file()]
    if not runs:
        raise BadInput(f"--resume: there is no run in {places.run('')}")
    return runs[0]


def _meant(places: Artifacts, where: str) -> Resumed:
    path = Path(os.path.abspath(where))  # not resolved: a link may have another name
    folder = path if path.is_dir() else path.parent
    if not path.exists() and folder.name == CHECKPOINTS and _holds_a_run(folder.parent):
        raise _no_checkpoint(where, folder)
    if path.exists():
        if _holds_a_run(folder) and (path == folder or path.name in HOLDS_A_RUN):
            return Resumed(folder)
        if folder.name == CHECKPOINTS and _holds_a_run(folder.parent):
            return Resumed(folder.parent)
        if folder.parent.name == CHECKPOINTS:
            return Resumed(folder.parent.parent, folder)
        in_run = folder.parent if _holds_a_run(folder.parent) else None
        if path.is_file() or (in_run and folder.name.endswith(tuple(BEST_FOLDERS.values()))):
            raise _weights_alone(where, in_run)
    in_artifacts = path.parent == Path(os.path.abspath(places.run("")))
    return Resumed(existing_run(places, path.name if in_artifacts else where))


def _holds_a_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in HOLDS_A_RUN)


def _weights_alone(where: str, run: Path | None) -> BadInput:
    go_on = "" if run is None else f" To go on with that run: --run {run.name} --resume."
    return BadInput(
        f"--resume {where}: it holds weights alone, and a run goes on from its optimizer and its "
        f"place in the data too.{go_on} To start a new run from these weights: --phase 12 --base "
        f"{where}"
    )


def _no_checkpoint(where: str, checkpoints: Path) -> BadInput:
    there = sorted((path.name for path in checkpoints.glob("step-*[0-9]")), reverse=True)
    return BadInput(
        f"there is no checkpoint {where}. In {checkpoints} there are: {_some(there) or 'none'}"
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
