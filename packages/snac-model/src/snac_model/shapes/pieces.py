"""Which pieces a long recording is encoded in, so that its codes are the whole's; free of torch.

Each piece is read with the encoder's context beside it, and the latent frames of that context are
dropped. The recording's own ends are ends of pieces without context, where the codec sees the
silence that it sees in the whole.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from snac_model.shapes.geometry import Geometry

PIECE_CONTEXTS = 10


@dataclass(frozen=True)
class Piece:
    """A part of a recording, to be encoded by itself.

    Attributes:
        samples: what to encode, in samples of the recording at the codec's rate. Beyond the
            recording's end lies the silence of the codec's own padding.
        frames: the latent frames of the whole that the piece gives.
        kept: these frames among all that the piece's samples give; the others are context.
    """

    samples: slice
    frames: slice
    kept: slice


@dataclass(frozen=True)
class PiecePlan:
    """How recordings are cut: a pure function of the model's geometry and a length.

    Attributes:
        geometry: the model's.
        frames: latent frames that a piece gives: whole coarse tokens and attention windows.
    """

    geometry: Geometry
    frames: int

    @classmethod
    def of(cls, geometry: Geometry, seconds: float | None = None) -> Self:
        """Plan pieces of about ``seconds``.

        By default pieces are ten times as long as the context to a side, so that a sixth of the
        work is context: 2.6 s for the 24 kHz model. Much longer ones leave a CPU's caches.
        """
        unit = geometry.unit_frames
        if seconds is None:
            return cls(geometry, PIECE_CONTEXTS * cls(geometry, unit).context)
        return cls(geometry, max(1, round(seconds * geometry.frame_rate / unit)) * unit)

    @property
    def context(self) -> int:
        """Latent frames of context to each side: the encoder's, in whole units."""
        unit = self.geometry.unit_frames
        return math.ceil(self.geometry.encoder_context / unit) * unit

    @property
    def window_frames(self) -> int:
        """Latent frames of a piece with its context on both sides."""
        return self.frames + 2 * self.context

    @property
    def window_samples(self) -> int:
        """Samples of a piece with its context on both sides."""
        return self.window_frames * self.geometry.hop_length

    def total_frames(self, num_samples: int) -> int:
        """Latent frames that ``encode`` makes of so many samples, the codec's padding included."""
        return self.geometry.padded_samples(num_samples) // self.geometry.hop_length

    def piece(self, index: int, total_frames: int | None = None) -> Piece:
        """Return a piece of a recording; by default of one whose end is not known to be near."""
        start, stop = index * self.frames, (index + 1) * self.frames
        first, last = max(0, start - self.context), stop + self.context
        if total_frames is not None:
            stop, last = min(stop, total_frames), min(last, total_frames)
        return self._cut(first, last, start, stop)

    def pieces(self, num_samples: int) -> Iterator[Piece]:
        """Yield the pieces of a recording, each as short as can be."""
        total = self.total_frames(num_samples)
        return (self.piece(index, total) for index in range(math.ceil(total / self.frames)))

    def windows(self, num_samples: int) -> Iterator[Piece]:
        """Yield pieces of exactly ``window_samples`` each, for batches and graphs of one shape.

        The last one begins as early as it must. A recording that fits into one is a single piece,
        padded as the codec pads it, and shorter.
        """
        total, length = self.total_frames(num_samples), self.window_frames
        done = start = 0
        while done < total:
            first = max(0, min(start, total - length))
            last = min(first + length, total)
            stop = total if last == total else last - self.context
            yield self._cut(first, last, done, stop)
            done, start = stop, start + self.frames

    def _cut(self, first: int, last: int, start: int, stop: int) -> Piece:
        """Return the piece that encodes frames ``first`` to ``last`` and keeps some of them."""
        hop = self.geometry.hop_length
        return Piece(
            samples=slice(first * hop, last * hop),
            frames=slice(start, stop),
            kept=slice(start - first, stop - first),
        )
