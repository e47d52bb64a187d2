"""Codes of a part as rows of ids, by the layout of a language model."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from snac_cache.rows.ragged import Ragged
from snac_cache.schema import code_column
from snac_common.errors import Failure
from snac_model.tokens.layout import TokenLayout


@dataclass(frozen=True)
class Frames:
    """The frames of some utterances.

    Attributes:
        ids: int32 ``[frames, positions]``.
        counts: of each utterance: int64.
        repeated: whether a frame has the coarse token of the frame before, in the same utterance:
            bool ``[frames]``.
    """

    ids: np.ndarray
    counts: np.ndarray
    repeated: np.ndarray

    def without_repeated(self) -> "Frames":
        """Return the frames but the repeated ones."""
        kept = ~self.repeated
        before = np.concatenate([[0], np.cumsum(kept)])
        ends = np.cumsum(self.counts)
        counts = before[ends] - before[ends - self.counts]
        return Frames(self.ids[kept], counts, np.zeros(int(kept.sum()), bool))

    def to_rows(self) -> Ragged:
        """Return the ids of each utterance."""
        return Ragged(self.ids.reshape(-1), self.counts * self.ids.shape[1])


def frames_of(part: pa.Table, layout: TokenLayout, file: Path) -> Frames:
    """Return the frames of a part's utterances, with ids.

    Raises:
        Failure: naming the file, if codes make no whole frames, or are out of range.
    """
    levels = [part.column(code_column(level)) for level in range(layout.levels)]
    counts = pc.list_value_length(levels[0]).to_numpy().astype(np.int64)
    counts = counts // layout.order.count(0)
    for level, lists in enumerate(levels):
        lengths = pc.list_value_length(lists).to_numpy()
        wrong = np.flatnonzero(lengths != counts * layout.order.count(level))
        if len(wrong):
            utterance = part.column("utterance_id")[int(wrong[0])].as_py()
            raise Failure(f"{file}: the codes of {utterance!r} make no whole frames: snac-check")
    try:
        numbers = layout.frames([pc.list_flatten(lists).to_numpy() for lists in levels])
    except Failure as error:
        raise Failure(f"{file}: {error}. snac-check says more.") from error
    repeated = _repeated(numbers, counts, [at for at, of in enumerate(layout.order) if of == 0])
    ids = (numbers + (layout.id_offset or 0)).astype(np.int32)
    return Frames(ids, counts, repeated)


def _repeated(numbers: np.ndarray, counts: np.ndarray, coarse: list[int]) -> np.ndarray:
    repeated = np.zeros(len(numbers), bool)
    repeated[1:] = (numbers[1:, coarse] == numbers[:-1, coarse]).all(axis=1)
    starts = (np.cumsum(counts) - counts)[counts > 0]
    repeated[starts] = False
    return repeated
