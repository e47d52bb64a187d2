"""The folder of a training run in an object store: copied up after each save, brought back.

A run is written on this machine, without waiting for the store, and copied up when it has saved. So
here it may be ahead of the store, as after a save that the store did not take. A record of what was
copied tells that from a run that has gone on elsewhere: then the store is right.
"""

import time
from collections import defaultdict
from pathlib import Path

from snac_common.addresses import address, is_address, place
from snac_common.artifacts import BEST_FOLDERS, SCORE, Artifacts
from snac_common.files import write_text
from snac_common.object_store import Object, delete, list_objects, upload
from snac_common.refresh import Chooses, copies, fetch, one_process
from snac_common.run_record import PENDING, Listed, Record, is_ahead, stamp_of, stamp_of_copy

CHECKPOINTS, MANIFEST = "checkpoints", "manifest.json"
LINK = ".link"  # an object of this name says where a link leads: a store has none
OWN_STORE = "wandb"  # a folder that W&B copies up itself


def is_small(name: str) -> bool:
    """Say whether a file of a run tells how it stands, and is no model and no checkpoint."""
    return "/" not in name or name.endswith(f"/{SCORE}")


def is_best(name: str) -> bool:
    """Say whether a file of a run is of a best model, or tells how the run stands."""
    return is_small(name) or name.partition("/")[0] in BEST_FOLDERS.values()


def bring_run(run: Path, *, only: Chooses | None = None) -> None:
    """Have a run's folder as its store has it, unless it is ahead of that.

    A checkpoint that the store does not have to its last file is left there.

    Args:
        only: the files that are wanted, by their paths in the folder.

    Raises:
        Failure: if the store cannot be reached, or does not allow it.
    """
    if (where := address(run)) is not None:
        with one_process(run):
            before, started = Record(run).stamps, time.time()
            _bring(Listed(run, list_objects(where), started, before), only)


def bring_runs(folder: Path, *, only: Chooses) -> None:
    """Do what ``bring_run`` does for all runs in a folder, with one listing."""
    if (where := address(folder)) is None:
        return
    here = folder.iterdir() if folder.is_dir() else ()
    before = {run.name: Record(run).stamps for run in here}
    started, runs = time.time(), defaultdict[str, dict[str, Object]](dict)
    for path, found in list_objects(where).items():
        run, _, name = path.partition("/")
        runs[run][name] = found
    for run, there in runs.items():
        _bring(Listed(folder / run, there, started, before.get(run, {})), only)


def bring_model(where: str, places: Artifacts) -> str:
    """Have a model here that a person names: by its address, or as a run in the artifacts.

    Returns:
        The path of an address; any other name as it is.

    Raises:
        Failure: if the store cannot be reached, or does not allow it.
    """
    is_name = Path(where).name == where and not where.startswith("builtin:")
    if not (is_address(where) or is_name):
        return where
    path = place(where) if is_address(where) else places.run(where)
    bring_run(path.parent if path.name in BEST_FOLDERS.values() else path, only=is_best)
    return str(path) if is_address(where) else where


def send_run(run: Path) -> None:
    """Copy up what a run has written or deleted since the last time.

    What vouches for other files goes up after them, that of a checkpoint last: who finds one there
    finds all that the run had written until then.

    Raises:
        Failure: if the store does not take it; what is missing goes up the next time.
    """
    if (where := address(run)) is None:
        return
    _write_links(run)
    record = Record(run)
    here = dict(_files(run))
    changed = [
        name for name, path in here.items() if record.stamps.get(name) != stamp_of_copy(path)
    ]
    gone = [name for name in record.stamps if name not in here]
    outdated = [name for name in changed if _vouches(name) and name in record.stamps]
    for name in sorted([*gone, *outdated], key=_vouches, reverse=True):
        record.put(name, PENDING)
        delete(f"{where}/{name}")
        record.put(name, None)
    for name in sorted(changed, key=lambda name: (_vouches(name), name)):
        record.put(name, PENDING)
        found = upload(here[name], f"{where}/{name}")
        found.mark(here[name])
        record.put(name, stamp_of(found))


def _bring(listed: Listed, only: Chooses | None) -> None:
    if is_ahead(listed):
        return
    fetch(listed.run, _without_torn(listed.there), listed.at, only)
    if only is None:
        stamps = {name: stamp_of(found) for name, found in listed.there.items()}
        Record(listed.run, stamps).write()
        _make_links(listed.run)


def _files(run: Path) -> list[tuple[str, Path]]:
    return [
        (name, path)
        for name, path in copies(run)
        if address(path) and name.partition("/")[0] != OWN_STORE
    ]


def _vouches(name: str) -> bool:
    """Say whether a file says of those beside it that they are whole."""
    return name.rpartition("/")[2] in (MANIFEST, SCORE)


def _without_torn(there: dict[str, Object]) -> dict[str, Object]:
    """Leave out checkpoints that lack the file that comes last."""
    return {
        name: found
        for name, found in there.items()
        if not name.startswith(f"{CHECKPOINTS}/step-")
        or "/".join([*name.split("/")[:2], MANIFEST]) in there
    }


def _write_links(run: Path) -> None:
    """Write what each link among the checkpoints leads to into a file beside it."""
    folder = run / CHECKPOINTS
    links = {f"{link.name}{LINK}": link for link in folder.glob("*") if link.is_symlink()}
    for file in folder.glob(f"*{LINK}"):
        if file.name not in links:
            file.unlink()
    for name, link in links.items():
        if not (folder / name).is_file() or (folder / name).read_text() != link.readlink().name:
            write_text(folder / name, link.readlink().name)


def _make_links(run: Path) -> None:
    folder = run / CHECKPOINTS
    for link in folder.glob("*"):
        if link.is_symlink():
            link.unlink()
    for file in folder.glob(f"*{LINK}"):
        file.with_suffix("").symlink_to(Path(file.read_text()).name)
