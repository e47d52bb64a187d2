"""Checkpoints of an earlier system whose 48 kHz layers are of another shape than SNAC's.

They hold a trunk, SNAC's decoder without its last three layers, and beside it a block to 48 kHz
that keeps its channels, which no model here has. A 24 kHz head, where there is one, is taken over
exactly: it is a convolution without Snake, and a Snake of frequency 0 changes nothing.
"""

from collections.abc import Mapping

import torch

from snac_model.decoders.snac import FINAL_LAYERS

State = dict[str, torch.Tensor]

NEW_BLOCK = "upsampler2x."  # the first word of what marks such a checkpoint
LAYERS_48K = (NEW_BLOCK, "snake1d.", "final_conv.", "final_conv_48k.")
HEAD_24K = "final_conv_24k."
TRUNK, DECODER = "pretrained_decoder_upsamp.", "pretrained_decoder."
TOKENIZER = ("encoder.", "quantizer.")
LAYERS = "decoder.model."


def has_other_48k_layers(state: Mapping[str, torch.Tensor]) -> bool:
    """Say whether a state dict is that of such a network."""
    return any(name.startswith(NEW_BLOCK) for name in state)


def without_48k_layers(state: Mapping[str, torch.Tensor]) -> State:
    """Return the 24 kHz side of a state dict, by the names that it has in ``SNAC``."""
    head = {name: value for name, value in state.items() if name.startswith(HEAD_24K)}
    kept = {
        _own_name(name): value
        for name, value in state.items()
        if name not in head and not name.startswith(LAYERS_48K)
    }
    return kept | _head(head, kept) if head else kept


def is_decoder_alone(state: Mapping[str, torch.Tensor]) -> bool:
    """Say whether what ``without_48k_layers`` returns lacks encoder and quantizer."""
    return not any(name.startswith(TOKENIZER) for name in state)


def completed(decoder: Mapping[str, torch.Tensor], codec: Mapping[str, torch.Tensor]) -> State:
    """Return the state of a whole codec with this decoder.

    Args:
        decoder: what ``without_48k_layers`` returns.
        codec: gives encoder and quantizer; its final layers too, where the decoder has none.
    """
    whole = {name: value for name, value in codec.items() if name.startswith(TOKENIZER)}
    if not has_head(decoder):
        shared = _length(decoder)
        final = tuple(f"{LAYERS}{shared + number}." for number in range(FINAL_LAYERS))
        whole |= {name: value for name, value in codec.items() if name.startswith(final)}
    return whole | dict(decoder)


def has_head(decoder: Mapping[str, torch.Tensor]) -> bool:
    """Say whether a decoder has final layers, which begin with a Snake."""
    return f"{LAYERS}{_length(decoder) - FINAL_LAYERS + 1}.alpha" in decoder


def what_is_left_out(path: object, head: bool, codec: str | None) -> str:
    """Say, for people, what of a checkpoint is not taken over.

    Args:
        path: of the checkpoint.
        head: whether it has a 24 kHz head of its own.
        codec: what gives encoder and quantizer, if the checkpoint has none.
    """
    parts = "" if codec is None else f" Encoder and quantizer are those of {codec}."
    if not head and codec is not None:
        parts += (
            f" It has no 24 kHz output of its own: the final 24 kHz layers are those of {codec}, "
            "which the decoder was not trained with."
        )
    return (
        f"{path}: its 48 kHz layers have a shape that no model here has, and are left out; what is "
        f"loaded is a 24 kHz model.{parts} To have 48 kHz again, train a head: snac-train "
        f"--phase 12 --base {path}"
    )


def _own_name(name: str) -> str:
    for old, own in ((TRUNK, LAYERS), (DECODER, "decoder.")):
        if name.startswith(old):
            return own + name.removeprefix(old)
    return name


def _length(decoder: Mapping[str, torch.Tensor]) -> int:
    """Return the number of layers up to the last that has weights."""
    numbers = (name.removeprefix(LAYERS).split(".")[0] for name in decoder)
    return 1 + max((int(number) for number in numbers if number.isdecimal()), default=-1)


def _head(head: Mapping[str, torch.Tensor], trunk: Mapping[str, torch.Tensor]) -> State:
    """Return a bare convolution as SNAC's final layers: a Snake that is the identity before it."""
    snake = _length(trunk)
    weight = head[f"{HEAD_24K}weight"]
    convolution = f"{LAYERS}{snake + 1}."
    # The norm that the forward pass divides by, to the last bit: the weight comes out as it was.
    _, norm = torch._weight_norm_interface(weight, torch.ones(1, 1, 1), 0)
    return {
        f"{LAYERS}{snake}.alpha": torch.zeros(1, weight.shape[1], 1),
        f"{convolution}bias": head[f"{HEAD_24K}bias"],
        f"{convolution}parametrizations.weight.original0": norm,
        f"{convolution}parametrizations.weight.original1": weight,
    }
