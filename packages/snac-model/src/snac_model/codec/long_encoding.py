"""Encoding recordings of any length in memory that does not grow with them."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
import torch.nn.functional as F

from snac_model.audio.header import AudioError
from snac_model.shapes.pieces import Piece, PiecePlan

EncodePiece = Callable[[torch.Tensor, slice], Sequence[torch.Tensor]]


def encode_by_pieces(
    plan: PiecePlan, blocks: Iterable[torch.Tensor] | torch.Tensor, encode: EncodePiece
) -> list[torch.Tensor]:
    """Encode a recording piece by piece; the codes are the whole's, but for rounding.

    Args:
        plan: how it is cut.
        blocks: audio at the codec's rate, ``[T]``, ``[B, T]`` or ``[B, 1, T]``, in blocks of any
            length or as one tensor.
        encode: takes audio ``[B, 1, T]``, T a whole number of coarse tokens, and which of its
            latent frames to keep; returns the codes of those, ``[B, tokens]`` a level.

    Returns:
        ``[B, tokens]`` a level, coarsest first.

    Raises:
        AudioError: ``empty`` if there is no audio.
    """
    codes = [encode(audio, piece.kept) for audio, piece in cut(plan, blocks)]
    if not codes:
        raise AudioError("empty", "there is no audio to encode")
    return [torch.cat(level, dim=-1) for level in zip(*codes, strict=True)]


def cut(
    plan: PiecePlan, blocks: Iterable[torch.Tensor] | torch.Tensor
) -> Iterator[tuple[torch.Tensor, Piece]]:
    """Yield each piece's audio, ``[B, 1, T]``, as soon as the blocks have brought it."""
    held = _Held()
    piece, index = plan.piece(0), 0
    for block in _short(blocks, plan.window_samples):
        held.add(block)
        while piece.samples.stop <= held.stop:
            yield held.take(piece.samples), piece
            piece, index = plan.piece(index + 1), index + 1
            held.forget_before(piece.samples.start)
    total = plan.total_frames(held.stop)
    while index * plan.frames < total:
        piece = plan.piece(index, total)
        yield held.take(piece.samples), piece
        index += 1


def _short(blocks: Iterable[torch.Tensor] | torch.Tensor, length: int) -> Iterator[torch.Tensor]:
    """Yield ``[B, 1, T]`` in lengths that memory is not doubled by."""
    for block in [blocks] if isinstance(blocks, torch.Tensor) else blocks:
        if block.shape[-1] > 0:
            yield from block.reshape(-1, 1, block.shape[-1]).split(length, dim=-1)


class _Held:
    """The audio that is still needed: samples ``start`` to ``stop`` of the recording."""

    def __init__(self) -> None:
        self.start = self.stop = 0
        self.audio: torch.Tensor | None = None

    def add(self, block: torch.Tensor) -> None:
        self.audio = block if self.audio is None else torch.cat([self.audio, block], dim=-1)
        self.stop += block.shape[-1]

    def take(self, span: slice) -> torch.Tensor:
        """Return samples, silence after the last."""
        assert self.audio is not None
        taken = self.audio[..., span.start - self.start : span.stop - self.start]
        return F.pad(taken, (0, span.stop - span.start - taken.shape[-1]))

    def forget_before(self, sample: int) -> None:
        assert self.audio is not None
        dropped = max(0, min(sample, self.stop) - self.start)
        self.audio = self.audio[..., dropped:]
        self.start += dropped
