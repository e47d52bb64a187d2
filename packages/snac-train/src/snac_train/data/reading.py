"""Which segments are read, and by what: small enough to be sent to another process."""

from dataclasses import dataclass

import numpy as np

from snac_model.shapes.geometry import Geometry
from snac_train.data.augmentation import Augmented
from snac_train.data.dataset import SegmentDataset, Utterances
from snac_train.data.references import Reference
from snac_train.data.slices import Draws
from snac_train.recipe.tables import Augmentation


@dataclass(frozen=True)
class Segments:
    """One segment of each utterance of a split, chosen by ``draws``.

    Attributes:
        segment_tokens: coarse tokens in a segment.
    """

    split: str
    segment_tokens: int
    draws: Draws


@dataclass(frozen=True)
class SegmentSource:
    """All that segments are read from.

    Attributes:
        utterances: those of each split.
        augmentation: how those of training are changed.
        context: coarse tokens decoded on each side of a segment.
    """

    utterances: dict[str, Utterances]
    reference: Reference
    augmentation: Augmentation
    geometry: Geometry
    context: int

    def dataset(self, segments: Segments) -> SegmentDataset:
        """Return the segments, ready to be read."""
        return SegmentDataset(
            self.utterances[segments.split],
            self._reference(segments),
            self.geometry,
            segment_tokens=segments.segment_tokens,
            context=self.context,
            draws=segments.draws,
        )

    def _reference(self, segments: Segments) -> Reference:
        if segments.split != "train" or self.augmentation.nothing:
            return self.reference
        train = self.utterances["train"]
        return Augmented(
            self.reference.rate, train.store, train.rows, self.augmentation, segments.draws
        )


@dataclass(frozen=True)
class BatchRequest:
    """One batch to read: ``positions`` among the utterances of a split, int64."""

    segments: Segments
    positions: np.ndarray
