"""Weights as safetensors, with a hash of them in the file's metadata.

The format itself has no checksum: a flipped bit would be another model.
"""

import re
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from snac_common.errors import Failure
from snac_model.files.state_hash import state_sha256

HASH = "sha256"  # the only metadata: of several the order, and so the file's bytes, would differ

_LOOKS_LIKE_A_HASH = re.compile(r"[0-9a-f]{64}")


def stored_state(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return a module's weights as files hold them: on the CPU, contiguous."""
    return {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}


def write_safetensors(state: dict[str, torch.Tensor], path: Path) -> None:
    """Write weights, on the CPU and contiguous, with their hash."""
    save_file(state, path, metadata={HASH: state_sha256(state)})


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Read weights; those with a hash are checked against it.

    Raises:
        Failure: naming the file, if it is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # a damaged file can raise anything
        raise Failure(
            f"cannot read the weights {path}: {error!r}. Copy the file again, or use another model."
        ) from error
    if _is_damaged(metadata, state):
        raise Failure(
            f"the weights in {path} are damaged: their content has not the SHA-256 that they were "
            "saved with. Copy the file again from where it came, or use another model."
        )
    return state


def stored_sha256(path: Path) -> str | None:
    """Return the hash that weights were saved with, without reading them; None if there is none."""
    try:
        with safe_open(path, framework="pt") as file:
            return (file.metadata() or {}).get(HASH)
    except (OSError, SafetensorError):
        return None


def _is_damaged(metadata: dict[str, str], state: dict[str, torch.Tensor]) -> bool:
    """Compare weights with their hash, which may itself be what was damaged."""
    if HASH not in metadata:
        return any(_LOOKS_LIKE_A_HASH.fullmatch(value) for value in metadata.values())
    return metadata[HASH] != state_sha256(state)
