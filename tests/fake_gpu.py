"""A GPU that holds no memory and computes nothing, but refuses what a real one refuses.

Within, tensors of device ``cuda`` exist on any machine: they have shapes and types, and an
operation on tensors of different devices fails as it would on a GPU. Models must be made within;
nothing has values, so nothing can be compared or read. Backward passes do not work.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from snac_model.audio.resampling import sinc_resampler
from snac_model.layers.noise import _normal_quantiles

CUDA = torch.device("cuda", 0)
KEPT = (sinc_resampler, _normal_quantiles)  # what is made once for each device


@contextmanager
def fake_gpu() -> Iterator[None]:
    """Compute on a GPU that is not there; forget afterwards what was made on it."""
    for kept in KEPT:
        kept.cache_clear()
    try:
        with ExitStack() as stack:
            stack.enter_context(FakeTensorMode())
            stack.enter_context(torch.inference_mode())
            stack.enter_context(patch.object(nn.Module, "to", moved))
            stack.enter_context(patch.object(torch, "tensor", zeros_like_numbers))
            for name in ("conv1d", "conv_transpose1d"):
                stack.enter_context(patch.object(F, name, on_one_device(getattr(F, name))))
            yield
    finally:
        for kept in KEPT:
            kept.cache_clear()


def moved(module: nn.Module, device: torch.device) -> nn.Module:
    """Move a module as ``to`` does, which itself exchanges tensors in a way that fails here."""
    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is not None:
                part._parameters[name] = nn.Parameter(parameter.to(device), requires_grad=False)
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = buffer.to(device)
    return module


def zeros_like_numbers(
    numbers: float | Sequence[int], device: torch.device | None = None
) -> torch.Tensor:
    """Stand in for ``torch.tensor``, which asks for a real GPU within ``inference_mode``."""
    kind = torch.float32 if isinstance(numbers, float) else torch.int64
    return torch.zeros(np.shape(numbers), dtype=kind, device=device)


def on_one_device(convolve: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Have a convolution refuse weights on another device, of which the mode says nothing."""

    def checked(*inputs: object, **settings: object) -> torch.Tensor:
        values = (*inputs, *settings.values())
        devices = {str(value.device) for value in values if isinstance(value, torch.Tensor)}
        if len(devices) > 1:
            raise RuntimeError(f"a convolution of different devices: {sorted(devices)}")
        return convolve(*inputs, **settings)

    return checked
