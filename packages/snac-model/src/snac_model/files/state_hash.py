"""Hashing weights by content: what tells a damaged file, or another model, from the same one."""

import hashlib
from collections.abc import Mapping

import torch


def state_sha256(*states: Mapping[str, torch.Tensor]) -> str:
    """Hash the names, types, shapes and values of state dicts, in the order that they are given.

    Equal for safetensors and pickle, on any device.
    """
    digest = hashlib.sha256()
    for state in states:
        for name, value in sorted(state.items()):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
            content = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            digest.update(content.numpy().data)
    return digest.hexdigest()
