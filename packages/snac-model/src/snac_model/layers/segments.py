"""Decoding no more of a window than a segment of it needs.

A window holds a segment with the latents beside it that the segment's audio depends on. All of that
context is needed by the first layers alone: a layer at a high rate sees a few positions, which are
little time. So what a decoder has computed is cut, before each of its stages, to what the rest of
them needs for the segment.

Segments lie differently in their windows, and every item of a batch must keep equally many
positions. Where a window ends before the margin does, the cut stops at the window's end and keeps
more on the other side: so layers pad with zeros where they did without a cut, or beyond all that
the segment depends on.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from snac_model.layers.noise import Position
from snac_model.shapes.receptive_field import Margin

NO_MARGIN = Margin(0, 0)


class Features(NamedTuple):
    """What a decoder computes of windows, or of parts of them that are equally long.

    Attributes:
        values: ``[B, C, T]``.
        start: position of the first of them in its window.
    """

    values: torch.Tensor
    start: Position = 0


@dataclass(frozen=True)
class Segments:
    """The latent frames of each window whose audio is wanted.

    Attributes:
        starts: the first of them in each window, int64 ``[B]``, where the latents are.
        frames: how many in each.
        window: latent frames of each window.
    """

    starts: torch.Tensor
    frames: int
    window: int

    def cut(self, features: Features, per_frame: int, margin: Margin = NO_MARGIN) -> Features:
        """Keep of features the segments with a margin, as far as their windows have it.

        Args:
            features: from before where the result starts to beyond where it ends.
            per_frame: positions of theirs in a latent frame.
            margin: positions beside a segment that are kept.
        """
        length = margin.before + self.frames * per_frame + margin.after
        if length >= features.values.shape[-1]:
            return features
        start = self.starts * per_frame - margin.before
        start = start.clamp(0, self.window * per_frame - length)
        return Features(take(features.values, start - features.start, length), start)


def cut(
    features: Features, segments: Segments | None, per_frame: int, margin: Margin = NO_MARGIN
) -> Features:
    """Cut features to segments with a margin; without segments all is wanted."""
    return features if segments is None else segments.cut(features, per_frame, margin)


def take(x: torch.Tensor, starts: torch.Tensor, length: int) -> torch.Tensor:
    """Return ``length`` positions of each item from its own start: ``[B, C, T]`` to that length."""
    return _Take.apply(x, starts, length)


class _Take(torch.autograd.Function):
    """Copies of whole rows on a CPU, where a gather takes ten times as long; a gather elsewhere."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, starts: torch.Tensor, length: int) -> torch.Tensor:
        ctx.save_for_backward(starts)
        ctx.shape = x.shape
        return (_copy if x.device.type == "cpu" else gather)(x, starts, length)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (gradient,) = gradients
        (starts,) = ctx.saved_tensors
        whole = gradient.new_zeros(ctx.shape)
        put = _copy_back if gradient.device.type == "cpu" else scatter
        return put(whole, starts, gradient), None, None


def gather(x: torch.Tensor, starts: torch.Tensor, length: int) -> torch.Tensor:
    """Take positions of ``[B, C, T]`` without asking the device where they start."""
    return x.gather(2, _index(starts, length).expand(-1, x.shape[1], -1))


def scatter(whole: torch.Tensor, starts: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
    """Put what ``gather`` took back to where it was; each position is taken at most once."""
    return whole.scatter_(2, _index(starts, part.shape[-1]).expand(-1, whole.shape[1], -1), part)


def _copy(x: torch.Tensor, starts: torch.Tensor, length: int) -> torch.Tensor:
    taken = x.new_empty((*x.shape[:2], length))
    for item, start in enumerate(starts.tolist()):
        taken[item] = x[item, :, start : start + length]
    return taken


def _copy_back(whole: torch.Tensor, starts: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
    for item, start in enumerate(starts.tolist()):
        whole[item, :, start : start + part.shape[-1]] = part[item]
    return whole


def _index(starts: torch.Tensor, length: int) -> torch.Tensor:
    """Return the positions that are taken, ``[B, 1, length]``."""
    return (starts[:, None] + torch.arange(length, device=starts.device))[:, None]
