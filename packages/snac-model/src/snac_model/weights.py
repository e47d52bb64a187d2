"""Loading and saving models: Hub ids, folders, and what ships with the project."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from snac_common.errors import Failure
from snac_common.files import atomic_path, write_text
from snac_model.codec import SNAC
from snac_model.config import CodecConfig
from snac_model.dual_head import model_class
from snac_model.initialisation import keep_variance
from snac_model.old_checkpoints import read_old_checkpoint
from snac_model.pickles import is_state_dict, read_pickle
from snac_model.places import CONFIG, OFFICIAL_WEIGHTS, WEIGHTS, find_config, find_model


def load(where: str | Path, device: str | torch.device = "cpu", **hub_options: Any) -> SNAC:
    """Load a model in evaluation mode: SNAC or DualHeadSNAC, as its ``config.json`` says.

    Args:
        where: a Hub id (``owner/name``, or ``owner/name/folder``), a folder (``config.json`` with
            ``model.safetensors`` or the official ``pytorch_model.bin``), ``builtin:NAME``, or an
            older checkpoint (``.pt``).
        device: where the weights go.
        hub_options: passed to ``huggingface_hub.snapshot_download``: ``revision``, ``cache_dir``...

    Raises:
        Failure: if there is no such model, or its files are damaged or do not fit together.
    """
    files = find_model(where, **hub_options)
    if files.config is None:
        config, described_by, state = read_old_checkpoint(files.weights)
    else:
        config, described_by = CodecConfig.read(files.config), str(files.config)
        state = _read_state(files.weights)
    model = _build(config, described_by)
    _fill(model, state, f"{files.weights} does not fit {described_by}")
    return model.eval().to(device)


def untrained(where: str | Path, **hub_options: Any) -> SNAC:
    """Return a model of the architecture of ``where`` with random weights.

    They come from torch's global generator, scaled so that the model can learn.

    Args:
        where: as for ``load``; a folder may also hold a ``config.json`` alone.
        hub_options: as for ``load``.

    Raises:
        Failure: if there is no such model, or it has no ``config.json``.
    """
    config = find_config(where, **hub_options)
    return keep_variance(_build(CodecConfig.read(config), str(config)))


def load_as(kind: type[Any], where: str | Path, **hub_options: Any) -> Any:
    """Load like ``load``; raises Failure unless the model is of class ``kind`` exactly."""
    model = load(where, **hub_options)
    if type(model) is not kind:
        raise Failure(f"{where} holds a {type(model).__name__}, not a {kind.__name__}")
    return model


def save(model: SNAC, folder: Path) -> None:
    """Write ``model.safetensors`` and then ``config.json`` into ``folder``, each atomically."""
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file(state, temporary, metadata={"format": "pt"})
    _write_config(model, folder)


def save_officially(model: SNAC, folder: Path) -> None:
    """Write ``pytorch_model.bin`` and ``config.json``, which the official package loads.

    Weight norm stays in place: the official class has it, and its keys.

    Raises:
        ValueError: if the model has two heads, or its weight norm is folded.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    if model.config.dual_head or not any("parametrizations" in name for name in state):
        raise ValueError("the official class has one head and weight norm")
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
    digest = hashlib.sha256()
    for module in modules:
        for name, value in sorted(module.state_dict().items()):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
            digest.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _build(config: CodecConfig, described_by: str) -> SNAC:
    """Build the untrained model of a configuration."""
    try:
        return model_class(config)(**config.to_dict())
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise Failure(f"{described_by} describes no model that can be built: {error}") from error


def _read_state(path: Path) -> dict[str, torch.Tensor]:
    """Read the state dict of a model folder."""
    if path.name == OFFICIAL_WEIGHTS:
        state = read_pickle(path)
        if not is_state_dict(state):
            raise Failure(f"{path} holds no state dict, tensors by their names")
        return state
    try:
        return load_file(path)
    except Exception as error:  # a damaged file can raise anything
        raise Failure(f"cannot read the weights {path}: {error!r}") from error


def _fill(model: SNAC, state: dict[str, torch.Tensor], misfit: str) -> None:
    """Load a state dict whose keys and shapes must all fit."""
    try:
        missing, unexpected = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise Failure(f"{misfit}: {' '.join(str(error).split())[:500]}") from error
    wrong = [*_some("Unexpected", unexpected), *_some("Missing", missing)]
    if wrong:
        raise Failure(f"{misfit}: {'; '.join(wrong)}")


def _some(what: str, keys: list[str]) -> list[str]:
    """Name the first of some keys, and count the others."""
    others = f" and {len(keys) - 4} more" if len(keys) > 4 else ""
    return [f"{what} key(s): {', '.join(keys[:4])}{others}"] if keys else []
