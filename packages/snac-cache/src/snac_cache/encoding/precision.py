"""The arithmetic that codes are computed with."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from snac_cache.encoding.request import Precision


@contextmanager
def arithmetic(precision: Precision, device: torch.device) -> Iterator[None]:
    """Compute within in ``precision``.

    float32 means float32: left alone, cuDNN rounds the inputs of float32 convolutions to TF32.
    """
    matmul = torch.backends.cuda.matmul
    before, matmul.allow_tf32 = matmul.allow_tf32, precision == "tf32"
    try:
        with (
            torch.backends.cudnn.flags(enabled=True, allow_tf32=precision == "tf32"),
            torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"),
        ):
            yield
    finally:
        matmul.allow_tf32 = before
