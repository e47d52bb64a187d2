"""Refusing configurations that are no codec's, before anything is built or computed from them."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from snac_common.errors import Failure

Layers = tuple[int, Sequence[int]]

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
LONGEST_LIST = 16  # of which the channels are doubled with each entry
LARGEST_WEIGHTS = 2**28  # the largest published codec has 2**26 numbers
LARGEST_UNIT = 2**22  # samples that audio is padded to multiples of; 2**14 is the largest published


def check_config(values: dict[str, Any]) -> None:
    """Check the content of a ``config.json`` field by field.

    Raises:
        Failure: naming the field, its value and what it must be.
    """
    for name, value in values.items():
        wanted = _wanted(name, value)
        if wanted is not None:
            raise Failure(f"{name!r} in the model's config.json is {value!r}, not {wanted}")


def check_size(
    *, encoder: Layers, decoder: Layers, latent: int, codebooks: int, unit: int, output_rate: float
) -> None:
    """Check that a machine could build and run the codec of a configuration.

    Args:
        encoder: the narrowest layer's channels and the strides of its blocks, narrowest first.
        decoder: the same.
        latent: channels of the latents.
        codebooks: numbers in all codebooks.
        unit: samples that audio is padded to multiples of.
        output_rate: of the decoder, in Hz.

    Raises:
        Failure: naming what is too large.
    """
    weights = codebooks + sum(_weights(*layers, latent) for layers in (encoder, decoder))
    for what, value, largest in (
        ("weights", weights, LARGEST_WEIGHTS),
        ("samples that audio is padded to multiples of", unit, LARGEST_UNIT),
        ("samples in a second of output", output_rate, LARGEST["sampling_rate"]),
    ):
        if value > largest:
            raise Failure(
                f"the model's config.json describes a codec with {value:,.0f} {what}; no codec has "
                f"more than {largest:,}"
            )


def _weights(narrowest: int, strides: Sequence[int], latent: int) -> int:
    """Return how many numbers blocks and the layer at the latents have, at least."""
    channels = [narrowest * 2**number for number in range(len(strides) + 1)]
    return latent * channels[-1] + sum(
        3 * narrow * narrow + 2 * stride * narrow * wide
        for (narrow, wide), stride in zip(pairwise(channels), strides, strict=True)
    )


def _wanted(name: str, value: Any) -> str | None:
    """Say what a field must be, if it is something else."""
    if name == "decoder":
        named = isinstance(value, dict) and isinstance(value.get("kind"), str)
        return None if named or value is None else "an object with the decoder's 'kind'"
    if name in FLAGS:
        return None if isinstance(value, bool) else "true or false"
    if name in OPTIONAL and value is None:
        return None
    largest = LARGEST.get(name, LARGEST_OTHER)
    if name not in LISTS:
        return None if _is_count(value, largest) else f"a whole number from 1 to {largest}"
    numbers = value if isinstance(value, list | tuple) else []
    are_counts = all(_is_count(each, largest) for each in numbers)
    if are_counts and 0 < len(numbers) <= LONGEST_LIST and math.prod(numbers) <= largest:
        return None
    return (
        f"a list of at most {LONGEST_LIST} whole numbers from 1 on whose product is at most "
        f"{largest}"
    )


def _is_count(value: Any, largest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= largest
