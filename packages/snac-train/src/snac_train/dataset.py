"""Segments of cached utterances: codes, and exactly the audio that those codes cover."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch.utils.data import Dataset

from snac_cache.store import CachedUtterance, CodeStore
from snac_model.errors import Failure
from snac_model.geometry import Geometry
from snac_train.segments import Batch, Segment
from snac_train.slices import Draws, Window, window_around
from snac_train.targets import TARGET_RATE, expected_frames, margin_for, read_target


@dataclass(frozen=True)
class Utterances:
    """Chosen rows of a split's cache."""

    store: CodeStore
    rows: Sequence[int]

    def __len__(self) -> int:
        return len(self.rows)


class SegmentDataset(Dataset):
    """One segment of each chosen utterance.

    Args:
        utterances: item ``i`` is a segment of the i-th of them.
        geometry: of the model that decodes them.
        segment_tokens: coarse tokens in a segment.
        context: coarse tokens decoded on each side of it.
        draws: where each utterance's segment starts, and its noise.
    """

    def __init__(
        self,
        utterances: Utterances,
        geometry: Geometry,
        segment_tokens: int,
        context: int,
        draws: Draws,
    ) -> None:
        self.utterances = utterances
        self.store = utterances.store
        self.geometry = geometry
        self.segment_tokens = segment_tokens
        self.context = context
        self.draws = draws
        self.margin = margin_for(geometry.sample_rate)

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, item: int) -> Segment:
        """Read one segment; raises Failure if its codes and its target do not fit together."""
        row = self.utterances.rows[item]
        utterance = self.store[row]
        available = self.store.coarse_tokens(row)
        self._check_length(utterance, available)
        start = self.draws.start(utterance.utterance_id, self.segment_tokens, available)
        window = window_around(start, self.segment_tokens, self.context, available)
        span = self.geometry.sample_span(TARGET_RATE, start, self.segment_tokens)
        return Segment(
            utterance_id=utterance.utterance_id,
            noise_seed=self.draws.noise_seed(utterance.utterance_id),
            codes=self._codes(row, window),
            tokens=window.length,
            offset=window.offset,
            audio=read_target(utterance, span.start - self.margin, span.stop + self.margin),
            valid={
                self.geometry.sample_rate: self._valid(
                    self.geometry.sample_rate, start, utterance.num_samples
                ),
                TARGET_RATE: self._valid(TARGET_RATE, start, expected_frames(utterance)),
            },
        )

    def _codes(self, row: int, window: Window) -> list[torch.Tensor]:
        """Return the window's codes, padded to its full size."""
        levels = self.store.codes(row, window.start, window.length)
        padded = []
        for level, codes in enumerate(levels):
            size = self.geometry.token_span(level, 0, window.size).stop
            tensor = torch.from_numpy(codes.astype("int64"))
            padded.append(F.pad(tensor, (0, size - len(tensor))))
        return padded

    def _valid(self, rate: int, start: int, samples: int) -> int:
        """Count the segment's samples that an utterance of ``samples`` samples has."""
        span = self.geometry.sample_span(rate, start, self.segment_tokens)
        return min(samples, span.stop) - span.start

    def _check_length(self, utterance: CachedUtterance, available: int) -> None:
        samples = self.geometry.samples_from(TARGET_RATE, expected_frames(utterance))
        tokens = self.geometry.encoded_tokens(utterance.num_samples)[0]
        if (utterance.num_samples, available) != (samples, tokens):
            raise Failure(
                f"the codes of {utterance.utterance_id!r} are {available} coarse tokens for "
                f"{utterance.num_samples} samples, but its audio has {samples} samples at "
                f"{self.geometry.sample_rate} Hz. Run snac-cache again."
            )

    def batch(self, items: Sequence[int]) -> Batch:
        """Read several segments."""
        segments = [self[item] for item in items]
        return Batch.of(segments, segment_tokens=self.segment_tokens, margin=self.margin)
