"""Reading what ``torch.save`` wrote, without ever executing what a pickle says."""

import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from snac_common.errors import Failure


def read_pickle(path: Path) -> Any:
    """Read tensors and plain values, mapped into memory where the file's format allows it.

    Raises:
        Failure: if the file is damaged, or holds anything else.
    """
    try:
        mapped = zipfile.is_zipfile(path)  # torch.save wrote another format before 1.6
        if mapped:
            _check_sums(path)  # which torch does not
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Failure:
        raise
    except UnpicklingError as error:  # torch's message would advise to run the code
        raise Failure(
            f"{path} is refused: it is damaged, or holds more than tensors and plain values; no "
            "code in it is run. If it is your own, save its state dict alone where it was made."
        ) from error
    except Exception as error:  # a damaged file can raise anything
        raise Failure(f"cannot read the weights {path}: {error!r}") from error


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
