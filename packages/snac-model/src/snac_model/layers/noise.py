"""Where the decoder's noise blocks get their noise from.

A noise source is called with the features ``[B, C, T]`` that the noise will scale, the number of
the decoder block, and the features' place in their stream, which is 0 unless decoding goes piece by
piece, or of parts. It returns ``[B, 1, T]``, or None for no noise.
"""

from collections.abc import Sequence
from functools import cache
from typing import Protocol

import torch

Position = int | torch.Tensor  # the same for all items, or int64 [B]


class NoiseSource(Protocol):
    """Anything that gives a noise block its noise."""

    def __call__(
        self, features: torch.Tensor, block: int, start: Position = 0
    ) -> torch.Tensor | None:
        """Return noise ``[B, 1, T]`` for ``features`` ``[B, C, T]`` of decoder block ``block``.

        ``start`` is the position of the first of them in what is being decoded.
        """
        ...


def no_noise(features: torch.Tensor, block: int, start: Position = 0) -> None:
    """Switch the noise off."""


class RandomNoise:
    """Fresh Gaussian noise, drawn as the official package draws it.

    Without a generator it comes from torch's global one, so that equal seeds give equal audio in
    both packages.
    """

    def __init__(self, generator: torch.Generator | None = None) -> None:
        self.generator = generator

    def __call__(self, features: torch.Tensor, block: int, start: Position = 0) -> torch.Tensor:
        """Draw ``[B, 1, T]``."""
        return torch.randn(
            (features.shape[0], 1, features.shape[-1]),
            generator=self.generator,
            device=features.device,
            dtype=features.dtype,
        )


class SeededNoise:
    """Gaussian noise that is a pure function of seed, block and position.

    The same whatever the batch, the device or the order of calls; positions count from the first
    sample of what is being decoded. A position's hash selects one of 65,536 equally likely
    quantiles of the normal distribution, so no floating-point function is evaluated that could
    differ from one machine to the next.

    Args:
        seeds: one seed for each item of the batch, or one for all; of any 64 bits, signed or not.
            As an int64 tensor ``[B]`` where the features are, they are used without the GPU being
            waited for.
    """

    def __init__(self, seeds: int | Sequence[int] | torch.Tensor) -> None:
        self.seeds = seeds if isinstance(seeds, torch.Tensor) else seed_tensor(seeds)

    def __call__(self, features: torch.Tensor, block: int, start: Position = 0) -> torch.Tensor:
        """Look up ``[B, 1, T]`` for positions from ``start`` on."""
        device = features.device
        seeds = self.seeds = self.seeds.to(device)  # moved once, where it must be
        position = torch.arange(features.shape[-1], device=device)
        position = position + (start[:, None] if isinstance(start, torch.Tensor) else start)
        stream = _mix(seeds + _signed((block + 1) * _GOLDEN))
        quantile = _mix(stream[:, None] + position * _signed(_GOLDEN)) & 0xFFFF
        noise = _normal_quantiles(device)[quantile].to(features.dtype)
        return noise[:, None].expand(features.shape[0], 1, -1)


def seed_tensor(seeds: int | Sequence[int]) -> torch.Tensor:
    """Return seeds as int64 ``[B]``: their 64 bits, whose highest may then be a sign."""
    return torch.tensor([_signed(seed) for seed in ([seeds] if isinstance(seeds, int) else seeds)])


_GOLDEN = 0x9E3779B97F4A7C15


def _signed(value: int) -> int:
    """Wrap an integer to the range of int64."""
    return (value + 2**63) % 2**64 - 2**63


def _mix(value: torch.Tensor) -> torch.Tensor:
    """Scramble int64 (the finaliser of SplitMix64; Steele, Lea and Flood, 2014)."""
    for shift, multiplier in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        value = (value ^ _shift_right(value, shift)) * _signed(multiplier)
    return value ^ _shift_right(value, 31)


def _shift_right(value: torch.Tensor, shift: int) -> torch.Tensor:
    """Shift without copying the sign, which torch's ``>>`` does."""
    return (value >> shift) & ((1 << (64 - shift)) - 1)


@cache
def _normal_quantiles(device: torch.device) -> torch.Tensor:
    """Midpoints of 65,536 equally likely bins of the standard normal, ``[65536]`` float32."""
    probability = (torch.arange(2**16, dtype=torch.float64) + 0.5) / 2**16
    return torch.special.ndtri(probability).float().to(device)
