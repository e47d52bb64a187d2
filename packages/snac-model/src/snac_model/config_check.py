"""Refusing configurations that are no codec's, before anything is built or computed from them."""

import math
from typing import Any

from snac_common.errors import Failure

FLAGS = ("noise", "depthwise", "dual_head")
LISTS = ("encoder_rates", "decoder_rates", "vq_strides")
OPTIONAL = ("latent_dim", "attn_window_size")
LARGEST = {
    "sampling_rate": 768_000,
    "codebook_size": 65_536,  # codes are stored in 16 bits
    "encoder_rates": 65_536,  # of a list, the product: samples in a latent frame
    "decoder_rates": 65_536,
    "vq_strides": 65_536,
}
LARGEST_OTHER = 2**20


def check_config(values: dict[str, Any]) -> None:
    """Check the content of a ``config.json`` field by field.

    Raises:
        Failure: naming the field, its value and what it must be.
    """
    for name, value in values.items():
        wanted = _wanted(name, value)
        if wanted is not None:
            raise Failure(f"{name!r} in the model's config.json is {value!r}, not {wanted}")


def _wanted(name: str, value: Any) -> str | None:
    """Say what a field must be, if it is something else."""
    if name in FLAGS:
        return None if isinstance(value, bool) else "true or false"
    if name in OPTIONAL and value is None:
        return None
    largest = LARGEST.get(name, LARGEST_OTHER)
    if name not in LISTS:
        return None if _is_count(value, largest) else f"a whole number from 1 to {largest}"
    numbers = value if isinstance(value, list | tuple) else []
    are_counts = bool(numbers) and all(_is_count(each, largest) for each in numbers)
    if are_counts and math.prod(numbers) <= largest:
        return None
    return f"a list of whole numbers from 1 on whose product is at most {largest}"


def _is_count(value: Any, largest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= largest
