"""What the files of a model hold: its configuration and its weights, not yet in any class."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from snac_common.errors import Failure
from snac_model.config import CodecConfig
from snac_model.old_checkpoints import read_old_checkpoint
from snac_model.pickles import is_state_dict, read_pickle
from snac_model.places import OFFICIAL_WEIGHTS, find_model
from snac_model.safetensors_files import read_safetensors


class StoredModel(NamedTuple):
    """A model as its files have it.

    Attributes:
        config: what describes it.
        described_by: for people, where that comes from.
        state: the weights by name.
        stored_in: for people, where those come from.
    """

    config: CodecConfig
    described_by: str
    state: dict[str, torch.Tensor]
    stored_in: str


def read_model(where: str | Path, **hub_options: Any) -> StoredModel:
    """Read the files of a model; ``where`` and ``hub_options`` are those of ``snac_model.load``.

    Raises:
        Failure: if there is no such model, or its files are damaged.
    """
    files = find_model(where, **hub_options)
    if files.config is None:
        return StoredModel(*read_old_checkpoint(files.weights), str(files.weights))
    config = CodecConfig.read(files.config)
    return StoredModel(config, str(files.config), _read_state(files.weights), str(files.weights))


def build(kind: type[Any], config: CodecConfig, described_by: str) -> Any:
    """Build the untrained model of class ``kind``; raises Failure if none can be built."""
    try:
        return kind(**config.to_dict())
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise Failure(f"{described_by} describes no model that can be built: {error}") from error


def fill(model: nn.Module, stored: StoredModel) -> None:
    """Load weights whose names and shapes must all fit; raises Failure if they do not."""
    misfit = f"{stored.stored_in} does not fit {stored.described_by}"
    try:
        missing, unexpected = model.load_state_dict(stored.state, strict=False)
    except RuntimeError as error:
        raise Failure(f"{misfit}: {' '.join(str(error).split())[:500]}") from error
    wrong = [*_some("Unexpected", unexpected), *_some("Missing", missing)]
    if wrong:
        raise Failure(f"{misfit}: {'; '.join(wrong)}")


def _read_state(path: Path) -> dict[str, torch.Tensor]:
    """Read the state dict of a model folder."""
    if path.name == OFFICIAL_WEIGHTS:
        state = read_pickle(path)
        if not is_state_dict(state):
            raise Failure(f"{path} holds no state dict, tensors by their names")
        return state
    return read_safetensors(path)


def _some(what: str, keys: list[str]) -> list[str]:
    """Name the first of some keys, and count the others."""
    others = f" and {len(keys) - 4} more" if len(keys) > 4 else ""
    return [f"{what} key(s): {', '.join(keys[:4])}{others}"] if keys else []
