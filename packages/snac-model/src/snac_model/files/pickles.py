"""Reading what ``torch.save`` wrote, without ever executing what a pickle says."""

import re
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch

from snac_common.errors import Failure

# What NumPy's arrays and numbers are pickled with; training scripts keep some beside the weights.
# Arrays of objects are not among them. NumPy 1 had these functions in numpy.core.
_FUNCTIONS = (np.array([0]).__reduce__()[0], np.float64(0).__reduce__()[0])
_PLACES = ("numpy.core.multiarray", "numpy._core.multiarray")
_LETTERS = "?US" + np.typecodes["AllInteger"] + np.typecodes["AllFloat"]
ALLOWED: list[Any] = [
    np.ndarray,
    np.dtype,
    *{type(np.dtype(letter)) for letter in _LETTERS},
    *((made, f"{place}.{made.__name__}") for made in _FUNCTIONS for place in _PLACES),  # type: ignore[union-attr]
]
_CULPRIT = re.compile(r"GLOBAL ([\w.]+)|<class '([\w.]+)'>")  # in torch's message


def read_pickle(path: Path) -> Any:
    """Read tensors, NumPy's arrays and plain values, mapped into memory where the format allows it.

    Raises:
        Failure: if the file is damaged, or holds anything else.
    """
    try:
        mapped = zipfile.is_zipfile(path)  # torch.save wrote another format before 1.6
        if mapped:
            _check_sums(path)  # which torch does not
        with torch.serialization.safe_globals(ALLOWED):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Failure:
        raise
    except UnpicklingError as error:  # torch's message would advise to run the code
        raise _refused(path, str(error)) from error
    except Exception as error:  # a damaged file can raise anything
        raise Failure(
            f"cannot read the weights {path}: {error!r}. Copy the file again, or use another model."
        ) from error


def _refused(path: Path, reason: str) -> Failure:
    """Say what in a file is no data: torch stops there, and runs nothing of it."""
    found = _CULPRIT.search(reason)
    what = "something else" if found is None else f"a {found[1] or found[2]}"
    return Failure(
        f"{path} is refused: beside tensors, NumPy's arrays and plain values it holds {what}, "
        "which could be code; no code in it is run. If the file is your own, save its weights "
        "alone where it was made: torch.save(checkpoint['model_state_dict'], 'weights.pt')"
    )


def _check_sums(path: Path) -> None:
    """Compare every file in a zip with its CRC; raises Failure or BadZipFile if one differs."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise Failure(
            f"the weights in {path} are damaged: {damaged} in it has not the checksum that it was "
            "saved with. Copy the file again from where it came, or use another model."
        )


def is_state_dict(content: Any) -> bool:
    """Say whether an object is tensors by their names."""
    return isinstance(content, dict) and all(map(torch.is_tensor, content.values()))
