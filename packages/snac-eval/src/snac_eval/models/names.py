"""How models, rates, durations and folders are written."""

import re

from snac_common.errors import BadInput

REFERENCE = "reference"  # stands for the recording itself among the models


def resampled_name(model: str) -> str:
    """Name of the rows of a model's output resampled to the higher rate."""
    return f"{model} resampled"


def shown_name(model: str, base: str) -> str:
    """Return how a page calls a model; ``base`` is the starting model's name."""
    known = {base: "starting model", resampled_name(base): "resampled"}
    return known.get(model, model)


def rate_name(rate: int) -> str:
    """Return the rate as metrics are named: ``48k`` for 48000."""
    return f"{rate / 1000:g}k"


def kilohertz(rate: int) -> str:
    """Return the rate as people write it: ``48 kHz`` for 48000."""
    return f"{rate / 1000:g} kHz"


def duration(seconds: float) -> str:
    """Return a duration as people say it: ``36 s``, ``2 min 5 s``, ``3.1 h``."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    return f"{seconds / 3600:,.1f} h"


def folder_name(name: str) -> str:
    """Return a model's name as the name of a folder: ``owner-name`` for ``owner/name``."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "evaluation"


def results_name(asked: str | None, model: str) -> str:
    """Return the name asked for, else that of a model as one; raises BadInput if it is a path."""
    if asked is not None and asked != folder_name(asked):
        raise BadInput(f"--name {asked}: a folder's name is wanted, such as {folder_name(asked)}")
    return asked or folder_name(model)
