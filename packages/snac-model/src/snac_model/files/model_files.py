"""What the files of a model hold: its configuration and its weights, not yet in any class."""

import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from snac_common.console import note
from snac_common.errors import Failure
from snac_common.options import DEFAULT_MODEL
from snac_model.files.decoder_checkpoints import (
    completed,
    has_head,
    has_other_48k_layers,
    is_decoder_alone,
    what_is_left_out,
    without_48k_layers,
)
from snac_model.files.old_checkpoints import read_old_checkpoint
from snac_model.files.pickles import is_state_dict, read_pickle
from snac_model.files.places import OFFICIAL_WEIGHTS, find_model
from snac_model.files.safetensors_files import read_safetensors
from snac_model.shapes.config import CodecConfig


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


def read_model(
    where: str | Path, *, tokenizer: str | Path | None = None, **hub_options: Any
) -> StoredModel:
    """Read the files of a model; the arguments are those of ``snac_model.load``.

    Raises:
        Failure: if there is no such model, or its files are damaged.
    """
    files = find_model(where, **hub_options)
    if files.config is None:
        return _read_old(files.weights, tokenizer, hub_options)
    config = CodecConfig.read(files.config)
    return StoredModel(config, str(files.config), _read_state(files.weights), str(files.weights))


def _read_old(path: Path, tokenizer: str | Path | None, hub_options: dict[str, Any]) -> StoredModel:
    """Read an older checkpoint, and say what of it cannot be taken over."""
    old = read_old_checkpoint(path)
    if not has_other_48k_layers(old.state):
        return StoredModel(*old, str(path))
    state, config, described_by, codec = without_48k_layers(old.state), *old[:2], None
    head = has_head(state)
    if is_decoder_alone(state):
        codec = str(tokenizer or DEFAULT_MODEL)
        stored = _read_tokenizer(path, codec, hub_options)
        config, described_by = replace(stored.config, dual_head=False), f"a decoder of {codec}"
        state = completed(state, stored.state)
    if multiprocessing.parent_process() is None:  # workers would all say it again
        note(what_is_left_out(path, head, codec))
    return StoredModel(config, described_by, state, str(path))


def _read_tokenizer(path: Path, codec: str, hub_options: dict[str, Any]) -> StoredModel:
    try:
        return read_model(codec, **hub_options)
    except Failure as failure:
        raise Failure(
            f"{path} holds a decoder alone, whose encoder and quantizer are those of {codec}: "
            f"{failure}"
        ) from failure


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
