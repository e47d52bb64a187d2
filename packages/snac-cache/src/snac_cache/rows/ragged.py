"""Lists of unequal lengths, one a row, as one array: what works on them has no loop over rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class Ragged:
    """Rows of ids.

    Attributes:
        values: of all rows, one after the other: int32.
        lengths: of each row: int64.
    """

    values: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, rows: Iterable[Sequence[int]]) -> Self:
        """Take lists of ids."""
        lists = list(rows)
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        values = np.fromiter(chain.from_iterable(lists), np.int32, int(lengths.sum()))
        return cls(values, lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def starts(self) -> np.ndarray:
        """Where each row begins in the values: int64."""
        return np.cumsum(self.lengths) - self.lengths

    def where(self, chosen: np.ndarray) -> "Ragged":
        """Return the rows that a mask chooses: bool ``[rows]``."""
        if chosen.all():
            return self
        return Ragged(self.values[np.repeat(chosen, self.lengths)], self.lengths[chosen])

    def split(self) -> list[np.ndarray]:
        """Return each row by itself, without copies."""
        return np.split(self.values, np.cumsum(self.lengths)[:-1])

    def to_arrow(self) -> pa.Array:
        """Return a list of int32 for each row, without copies where lengths allow."""
        ends = np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(ends), pa.array(self.values, pa.int32()))


def joined(pieces: Sequence[Ragged | Sequence[int]]) -> Ragged:
    """Return rows that have the pieces one after the other.

    Args:
        pieces: rows, at least one of them and all equally many; or ids that every row has there.
    """
    rows = len(next(piece for piece in pieces if isinstance(piece, Ragged)))
    lengths = [
        piece.lengths if isinstance(piece, Ragged) else np.full(rows, len(piece), np.int64)
        for piece in pieces
    ]
    total = sum(lengths[1:], start=lengths[0])
    values = np.empty(int(total.sum()), np.int32)
    place = np.cumsum(total) - total  # where the next piece of each row goes
    for piece, length in zip(pieces, lengths, strict=True):
        if isinstance(piece, Ragged):
            shifts = np.repeat(place - piece.starts, length)
            values[np.arange(len(piece.values)) + shifts] = piece.values
        else:
            values[place[:, None] + np.arange(len(piece))] = np.array(piece, np.int32)
        place = place + length
    return Ragged(values, total)
