"""What a decoder is to the rest of the toolkit.

Geometry, training, streaming and export know a decoder by what is here, and by its
``DecoderShape``, which can be had from a configuration without torch. Another decoder of the same
tokens is a module of its own, and a line in ``shapes.decoder_shapes`` and in ``decoders.kinds``.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import torch
from torch import nn

from snac_model.layers.noise import NoiseSource, Position
from snac_model.layers.segments import Features, Segments
from snac_model.layers.streamed import Stage
from snac_model.shapes.receptive_field import Margin


class Head(Protocol):
    """Makes audio at one rate of the trunk's features."""

    @property
    def margin(self) -> Margin:
        """Features beside a segment, at their own rate, that its audio depends on."""
        ...

    def __call__(
        self, features: torch.Tensor, noise: NoiseSource, start: Position = 0
    ) -> torch.Tensor:
        """Map features ``[B, C, T]`` to audio ``[B, 1, T * samples per feature]``.

        Args:
            features: of the trunk, in float32 or in the weights' own type.
            noise: for blocks that add noise.
            start: position of the first feature in what is being decoded; noise depends on it.
        """
        ...


class StreamedDecoder(NamedTuple):
    """A decoder as layers of a stream.

    Attributes:
        trunk: stages in a row, the first of which takes latents.
        heads: what continues from the trunk to the audio, by rate in Hz.
    """

    trunk: list[Stage]
    heads: dict[int, Stage]


class Decoder(Protocol):
    """Makes audio of latents: a trunk, then a head for each output rate."""

    @property
    def features_per_frame(self) -> int:
        """Features of the trunk in a latent frame."""
        ...

    @property
    def heads(self) -> Mapping[int, Head]:
        """The heads by rate in Hz, lowest first: the rates of the geometry."""
        ...

    def features(
        self, z: torch.Tensor, noise: NoiseSource, segments: Segments | None = None
    ) -> Features:
        """Run the trunk.

        Args:
            z: latents ``[B, C, frames]``.
            noise: for blocks that add noise.
            segments: what alone is wanted of the audio; default all.

        Returns:
            ``[B, c, frames * features_per_frame]``; with segments, of each window at least the
            segment with the margin that every head needs, and exactly what they are without.
        """
        ...

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return every parameter once, by the group that has a learning rate of its own.

        Either all are ``decoder``; or the pretrained ones are ``trunk`` and, where the pretrained
        output has a head beside another one, ``head_24k``; and what a warm-up trains alone is
        ``head_48k``.
        """
        ...

    def streamed(self, noise: NoiseSource) -> StreamedDecoder:
        """Return new layers that decode piece by piece.

        Raises:
            Failure: if a layer needs more of its input than what is near.
        """
        ...
