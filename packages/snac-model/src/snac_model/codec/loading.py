"""Loading a model as the class that its configuration says."""

from pathlib import Path
from typing import Any

import torch

from snac_model.codec.dual_head import model_class
from snac_model.codec.initialisation import init_variance_preserving
from snac_model.codec.snac import SNAC
from snac_model.files.model_files import build, fill, read_model
from snac_model.files.places import find_config
from snac_model.shapes.config import CodecConfig


def load(
    where: str | Path,
    device: str | torch.device = "cpu",
    *,
    tokenizer: str | Path | None = None,
    **hub_options: Any,
) -> SNAC:
    """Load a model in evaluation mode: SNAC or DualHeadSNAC, as its ``config.json`` says.

    Its weights ask for no gradients, so that its audio is plain numbers; before you train it, call
    ``requires_grad_(True)``.

    Args:
        where: a Hub id (``owner/name``, or ``owner/name/folder``), a folder (``config.json`` with
            ``model.safetensors`` or the official ``pytorch_model.bin``), the name or folder of a
            run, ``builtin:NAME``, or an older checkpoint (``.pt``).
        device: where the weights go.
        tokenizer: for an older checkpoint that holds a decoder alone, the model whose encoder and
            quantizer belong to it, named as ``where``; by default SNAC 24 kHz as it was published.
        hub_options: passed to ``huggingface_hub.snapshot_download``: ``revision``, ``cache_dir``...

    Raises:
        Failure: if there is no such model, or its files are damaged or do not fit together.
    """
    stored = read_model(where, tokenizer=tokenizer, **hub_options)
    model: SNAC = build(model_class(stored.config), stored.config, stored.described_by)
    fill(model, stored)
    return model.eval().requires_grad_(False).to(device)


def untrained(where: str | Path, **hub_options: Any) -> SNAC:
    """Return a model of the architecture of ``where`` with random weights.

    They come from torch's global generator, scaled so that the model can learn.

    Args:
        where: as for ``load``; a folder may also hold a ``config.json`` alone.
        hub_options: as for ``load``.

    Raises:
        Failure: if there is no such model, or it has no ``config.json``.
    """
    path = find_config(where, **hub_options)
    config = CodecConfig.read(path)
    return init_variance_preserving(build(model_class(config), config, str(path)))
