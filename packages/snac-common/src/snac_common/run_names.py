"""Runs by their names."""

from difflib import get_close_matches
from pathlib import Path

from snac_common.artifacts import METRICS, RECIPE, STATE, Artifacts
from snac_common.errors import BadInput
from snac_common.run_mirror import bring_runs, is_small

HOLDS_A_RUN = (STATE, RECIPE, METRICS)
NAMES_SHOWN = 10


def run_folders(places: Artifacts) -> list[Path]:
    """Return the folders below ``runs/`` that hold a run, by name.

    Of runs in an object store, what tells how they stand is fetched first.
    """
    bring_runs(places.run(""), only=is_small)
    return sorted(
        {path.parent for name in HOLDS_A_RUN for path in places.run("").glob(f"*/{name}")}
    )


def no_such_run(name: str, places: Artifacts, also: str = "") -> BadInput:
    """Return the error for a name that no run has; it says which runs there are.

    Args:
        also: what else could be named, as a sentence.
    """
    names = [path.name for path in run_folders(places)]
    near = get_close_matches(name, names, n=1)
    meant = f" Did you mean {near[0]}?" if near else ""
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    there = ", ".join(names[:NAMES_SHOWN]) + more if names else "none yet"
    return BadInput(
        f"there is no run {name} in {places.run('')}.{meant} Runs there: {there}. {also}".rstrip()
    )
