"""Saving models, and telling their weights apart."""

import json
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn

from snac_common.errors import Failure
from snac_common.files import atomic_path, write_text
from snac_model.codec.snac import SNAC
from snac_model.files.places import CONFIG, OFFICIAL_WEIGHTS, WEIGHTS
from snac_model.files.safetensors_files import stored_state, write_safetensors
from snac_model.files.state_hash import state_sha256


def save(model: SNAC, folder: str | Path) -> None:
    """Write ``model.safetensors`` and then ``config.json`` into ``folder``, each atomically.

    The weights' hash goes into the file, so that ``load`` sees if they were damaged.
    """
    folder = Path(folder)
    state = stored_state(model)
    with atomic_path(folder / WEIGHTS) as temporary:
        write_safetensors(state, temporary)
    _write_config(model, folder)


def save_officially(model: SNAC, folder: str | Path) -> None:
    """Write ``pytorch_model.bin`` and ``config.json``, which the official package loads.

    Weight norm stays in place: the official class has it, and its keys.

    Raises:
        Failure: if its decoder is of a kind that the official package does not have.
        ValueError: if the model has two heads, or its weight norm is folded.
    """
    if model.config.decoder_kind != "snac":
        raise Failure(
            f"the official package has no {model.config.decoder_kind} decoder and cannot load this "
            "model: save it as safetensors, which snac_model.load takes"
        )
    state = stored_state(model)
    if model.config.dual_head or not any("parametrizations" in name for name in state):
        raise ValueError("the official class has one head and weight norm")
    folder = Path(folder)
    with atomic_path(folder / OFFICIAL_WEIGHTS) as temporary:
        torch.save(state, temporary)
    _write_config(model, folder)


def _write_config(model: SNAC, folder: Path) -> None:
    write_text(folder / CONFIG, json.dumps(model.config.to_dict(), indent=2) + "\n")


def weights_sha256(modules: Iterable[nn.Module]) -> str:
    """Hash weights by content: equal for safetensors and pickle, on any device.

    Over ``model.tokenizer_modules()`` it identifies what decides the codes, which a fine-tuned
    decoder leaves alone: so it tells whether codes belong to a model.
    """
    return state_sha256(*(module.state_dict() for module in modules))
