"""Checkpoints of earlier training scripts: one ``.pt`` file, with or without a configuration."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from snac_common.errors import Failure
from snac_model.files.pickles import is_state_dict, read_pickle
from snac_model.shapes.config import SNAC_24KHZ, CodecConfig

STATES = ("model_state_dict", "model")
WRAPPERS = {"module", "_orig_mod"}  # of DistributedDataParallel and of torch.compile
WEIGHT_NORM = {  # torch.nn.utils.weight_norm, and what its parametrization has in its place
    "weight_g": "parametrizations.weight.original0",
    "weight_v": "parametrizations.weight.original1",
}

# The second head as one nn.Sequential, and where its layers are in DualHeadSNAC.
HEAD_48K = "head_48k."
SEQUENTIAL_HEADS = (HEAD_48K, "decoder_48k.")
PARTS = {"0.": "block.", "1.": "final.0.", "2.": "final.1."}

BLOCK = re.compile(r"decoder\.model\.\d+\.block\.0\.alpha")  # what an upsampling block begins with


class OldCheckpoint(NamedTuple):
    """Weights under the names that this package has for them, and the codec that they make.

    ``described_by`` says, for people, where the configuration comes from.
    """

    config: CodecConfig
    described_by: str
    state: dict[str, torch.Tensor]


def read_old_checkpoint(path: Path) -> OldCheckpoint:
    """Read a checkpoint of an earlier training script.

    The file holds a state dict, bare or as ``model_state_dict`` or ``model``, of one head or two.
    What describes the codec is the checkpoint's own ``config`` if that is a codec's (with
    ``encoder_rates``; a training script's is not), else SNAC 24 kHz; the number of heads and a
    last 2x block are read off the names.

    Raises:
        Failure: if the file cannot be read, is refused, or holds no state dict.
    """
    content = read_pickle(path)
    if not isinstance(content, Mapping):
        raise Failure(_nothing_in(path))
    state = next((content[name] for name in STATES if name in content), content)
    if not is_state_dict(state) or not state:
        raise Failure(_nothing_in(path))
    renamed = {_own_name(name): value for name, value in state.items()}
    if len(renamed) < len(state):
        raise Failure(f"{path} holds several models: some weights are there under two names")
    return OldCheckpoint(*_describe(content.get("config"), renamed), renamed)


def _nothing_in(path: Path) -> str:
    return f"{path} holds no state dict, neither bare nor as {' or '.join(STATES)}"


def _own_name(name: str) -> str:
    """Take off wrappers, and rename weight norms and a second head that was one nn.Sequential."""
    parts = (part for part in name.split(".") if part not in WRAPPERS)
    name = ".".join(WEIGHT_NORM.get(part, part) for part in parts)
    for head in SEQUENTIAL_HEADS:
        for old, own in PARTS.items():
            if name.startswith(head + old):
                return HEAD_48K + own + name.removeprefix(head + old)
    return name


def _describe(config: Any, state: Mapping[str, torch.Tensor]) -> tuple[CodecConfig, str]:
    """Return the configuration of a codec with these weights, and what says so."""
    described, described_by = SNAC_24KHZ, "SNAC 24 kHz, as no codec's config is in it"
    if isinstance(config, Mapping) and "encoder_rates" in config:
        described, described_by = CodecConfig.from_dict(dict(config)), "the config in it"
    blocks = sum(bool(BLOCK.fullmatch(name)) for name in state)
    if blocks == len(described.decoder_rates) + 1:
        described = replace(described, decoder_rates=(*described.decoder_rates, 2))
    dual_head = described.dual_head or any(name.startswith(HEAD_48K) for name in state)
    return replace(described, dual_head=dual_head), described_by
