"""Residual vector quantizer whose levels run at different strides.

Factorised, normalised codes as in ViT-VQGAN (Yu et al., 2021) and DAC (Kumar et al., 2023).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from snac_model.layers.convolutions import conv


class VectorQuantizer(nn.Module):
    """One level: pool by ``stride``, project, take the nearest code, project back, repeat."""

    def __init__(self, channels: int, codebook_size: int, codebook_dim: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.in_proj = conv(channels, codebook_dim, 1)
        self.out_proj = conv(codebook_dim, channels, 1)
        self.codebook = nn.Embedding(codebook_size, codebook_dim)

    def project(self, z: torch.Tensor) -> torch.Tensor:
        """Map latents ``[B, C, T]`` to the codebook's space, ``[B, D, T / stride]``."""
        if self.stride > 1:
            z = F.avg_pool1d(z, self.stride, self.stride)
        return self.in_proj(z)

    def nearest(self, projected: torch.Tensor) -> torch.Tensor:
        """Return the index of the nearest code by cosine, ``[B, D, T]`` to int64 ``[B, T]``.

        The distance is spelt out as the official package does, so that near ties round alike.
        """
        vectors = F.normalize(rearrange(projected, "b d t -> (b t) d"))
        codes = F.normalize(self.codebook.weight)
        distance = (
            vectors.pow(2).sum(1, keepdim=True)
            - 2 * vectors @ codes.t()
            + codes.pow(2).sum(1, keepdim=True).t()
        )
        indices = distance.neg_().max(1).indices
        return rearrange(indices, "(b t) -> b t", b=projected.shape[0])

    def lookup(self, codes: torch.Tensor) -> torch.Tensor:
        """Return the code vectors, int64 ``[B, T]`` to ``[B, D, T]``."""
        return F.embedding(codes, self.codebook.weight).transpose(1, 2)

    def expand(self, vectors: torch.Tensor) -> torch.Tensor:
        """Map code vectors ``[B, D, T]`` back to latents ``[B, C, stride * T]``."""
        z = self.out_proj(vectors)
        return z.repeat_interleave(self.stride, dim=-1) if self.stride > 1 else z

    def forward(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Quantize latents ``[B, C, T]``: their approximation, and codes ``[B, T / stride]``.

        Gradients pass straight through the choice of the code.
        """
        projected = self.project(z)
        codes = self.nearest(projected)
        return self.expand(straight_through(projected, self.lookup(codes))), codes


Quantize = Callable[[VectorQuantizer, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Quantized:
    """Latents quantized for training.

    Attributes:
        latents: the sum over levels, ``[B, C, T]``; gradients pass straight through.
        codes: int64 ``[B, T / stride]`` a level, coarsest first.
        commitment: squared distance of each projection to its code, ``[B, T / stride]`` a level,
            which pulls the encoder.
        codebook: the same, which pulls the code.
    """

    latents: torch.Tensor
    codes: list[torch.Tensor]
    commitment: list[torch.Tensor]
    codebook: list[torch.Tensor]


class ResidualVectorQuantizer(nn.Module):
    """Levels in a row, each quantizing what the ones before it left over."""

    def __init__(
        self, channels: int, codebook_size: int, codebook_dim: int, strides: Sequence[int]
    ) -> None:
        super().__init__()
        self.quantizers = nn.ModuleList(
            VectorQuantizer(channels, codebook_size, codebook_dim, stride) for stride in strides
        )

    @property
    def levels(self) -> list[VectorQuantizer]:
        """The quantizers, coarsest first."""
        return [level for level in self.quantizers if isinstance(level, VectorQuantizer)]

    def forward(self, z: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Quantize latents ``[B, C, T]``: the sum over levels, and codes ``[B, T / stride]``."""
        codes = []

        def quantize(level: VectorQuantizer, residual: torch.Tensor) -> torch.Tensor:
            quantized, indices = level(residual)
            codes.append(indices)
            return quantized

        return self.through_levels(z, quantize), codes

    def through_levels(self, z: torch.Tensor, quantize: Quantize) -> torch.Tensor:
        """Have each level approximate what the ones before it left of latents ``[B, C, T]``.

        Args:
            z: the latents.
            quantize: takes a level and what is left, returns the level's approximation of it.

        Returns:
            The sum of the approximations.
        """
        residual, levels = z, []
        for level in self.levels:
            levels.append(quantize(level, residual))
            residual = residual - levels[-1]
        return _sum(levels)

    def bypass_quantization(self, z: torch.Tensor) -> torch.Tensor:
        """Pass latents ``[B, C, T]`` through the levels as if each had a code for every vector.

        What is left to learn before codebooks are filled with what the projections give.
        """
        return self.through_levels(z, lambda level, left: level.expand(level.project(left)))

    def quantize_for_training(self, z: torch.Tensor) -> Quantized:
        """Quantize latents ``[B, C, T]`` like ``forward``, with the losses that train a quantizer.

        Straight-through gradients alone never reach a codebook (van den Oord et al., 2017).
        """
        result = Quantized(z, [], [], [])

        def quantize(level: VectorQuantizer, residual: torch.Tensor) -> torch.Tensor:
            projected = level.project(residual)
            codes = level.nearest(projected)
            vectors = level.lookup(codes)
            result.codes.append(codes)
            result.commitment.append((projected - vectors.detach()).pow(2).mean(1))
            result.codebook.append((vectors - projected.detach()).pow(2).mean(1))
            return level.expand(straight_through(projected, vectors))

        return replace(result, latents=self.through_levels(z, quantize))

    def from_codes(self, codes: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the latents ``[B, C, T]`` of codes ``[B, T / stride]``, coarsest first."""
        return _sum(
            [
                quantizer.expand(quantizer.lookup(indices))
                for quantizer, indices in zip(self.levels, codes, strict=True)
            ]
        )


def straight_through(projected: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """Return the code vectors, whose gradient goes to the projections they were chosen for."""
    return projected + (vectors - projected).detach()


def _sum(levels: list[torch.Tensor]) -> torch.Tensor:
    """Add up in order, coarsest first: the order decides the last bit."""
    total = levels[0]
    for level in levels[1:]:
        total = total + level
    return total
