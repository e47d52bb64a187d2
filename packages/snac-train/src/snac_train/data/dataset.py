"""Segments of utterances: codes, and exactly the audio that those codes cover."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
import torch.nn.functional as F
from torch.utils.data import Dataset

from snac_cache.parquet import rows_sha256
from snac_cache.store.code_store import CachedUtterance, CodeStore
from snac_common.errors import Failure
from snac_model.shapes.geometry import Geometry
from snac_train.data.references import Reference, Rows, UnreadableAudio, margin_for
from snac_train.data.segments import Batch, Reject, Segment
from snac_train.data.slices import Draws, Window, window_around

PAUSES_S = (0.5, 2.0)  # before a file is read again: a server of files may be busy
MOST_IN_A_ROW = 8  # utterances that cannot be read, before it is not about utterances


@dataclass(frozen=True)
class Utterances:
    """Chosen rows of a split: ``rows`` are int64, as there may be millions of them."""

    store: Rows
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def hours(self) -> float:
        """Duration of their audio."""
        seconds = self.store.column("duration_s").to_numpy()
        return float(seconds[self.rows].sum()) / 3600

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Return columns of the manifest, for these utterances in order."""
        rows = pa.array(self.rows)
        return pa.table({name: self.store.column(name).take(rows) for name in names})

    def sha256(self) -> str:
        """Return a hash of their ids in order: of what an epoch's order and slices depend on."""
        return rows_sha256(self.columns(["utterance_id"]), ["utterance_id"])


class SegmentDataset(Dataset):
    """One segment of each chosen utterance.

    Where the utterances are those of a CodeStore a segment has its codes; else the audio of its
    whole window, to be encoded.

    Args:
        utterances: item ``i`` is a segment of the i-th of them.
        reference: what a segment's output is compared with.
        geometry: of the model that decodes them.
        segment_tokens: coarse tokens in a segment.
        context: coarse tokens decoded on each side of it.
        draws: where each utterance's segment starts, and its noise.
    """

    def __init__(
        self,
        utterances: Utterances,
        reference: Reference,
        geometry: Geometry,
        *,
        segment_tokens: int,
        context: int,
        draws: Draws,
    ) -> None:
        self.utterances = utterances
        self.codes = utterances.store if isinstance(utterances.store, CodeStore) else None
        self.reference = reference
        self.geometry = geometry
        self.segment_tokens = segment_tokens
        self.context = context
        self.draws = draws
        self.margin = margin_for(reference.rate, geometry.sample_rate)

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, item: int) -> Segment:
        """Read one segment.

        Raises:
            UnreadableAudio: if its audio cannot be read, or was replaced.
            Failure: if its codes are not its audio's.
        """
        row = int(self.utterances.rows[item])
        utterance = self.utterances.store[row]
        available = self._coarse_tokens(row, utterance)
        start = self.draws.start(utterance.utterance_id, self.segment_tokens, available)
        window = window_around(start, self.segment_tokens, self.context, available)
        return Segment(
            utterance_id=utterance.utterance_id,
            noise_seed=self.draws.noise_seed(utterance.utterance_id),
            codes=self._codes(row, window),
            tokens=window.length,
            offset=window.offset,
            audio=self._audio(utterance, start, window),
            valid=self._valid(utterance, start),
        )

    def batch(self, items: Sequence[int] | np.ndarray) -> Batch:
        """Read several segments; others take the place of those whose audio cannot be read.

        Raises:
            Failure: if codes and audio do not fit together, or nothing can be read.
        """
        rejects: list[Reject] = []
        segments = [self._read_or_replace(int(item), rejects) for item in items]
        return self._together(segments, rejects)

    def silence(self) -> Batch:
        """Return a batch of one segment without sound or meaning, for a rank that has no other."""
        window = Window(0, 1, self.segment_tokens + 2 * self.context, 0)
        rate = self.reference.rate
        length = window.size if self.codes is None else self.segment_tokens
        samples = self.geometry.sample_span(rate, 0, length).stop + 2 * self.margin
        levels = range(0 if self.codes is None else self.geometry.levels)
        spans = [self.geometry.token_span(level, 0, window.size) for level in levels]
        codes = [torch.zeros(span.stop, dtype=torch.int64) for span in spans]
        valid = {self.geometry.sample_rate: 1, rate: 1}
        segment = Segment("silence", 0, codes, 1, 0, torch.zeros(samples), valid)
        return self._together([segment], [])

    def _together(self, segments: Sequence[Segment], rejects: Sequence[Reject]) -> Batch:
        return Batch.of(
            segments,
            rejects,
            segment_tokens=self.segment_tokens,
            window_tokens=self.segment_tokens + 2 * self.context,
            rate=self.reference.rate,
            margin=self.margin,
        )

    def _read_or_replace(self, item: int, rejects: list[Reject]) -> Segment:
        """Read one segment, or another one that is chosen by a hash; add to the rejects."""
        for _ in range(MOST_IN_A_ROW):
            try:
                return self._read_patiently(item)
            except UnreadableAudio as failure:
                rejects.append(failure.reject)
                last = failure
            if len(self) == 1:
                break
            share = self.draws.share("replacement", last.reject.utterance_id)
            item = (item + 1 + int(share * (len(self) - 1))) % len(self)
        raise Failure(
            f"{len(rejects)} utterances in a row could not be read. Is the disk there? {last}"
        )

    def _read_patiently(self, item: int) -> Segment:
        """Read one segment, again after a pause where that may help."""
        for pause in PAUSES_S:
            try:
                return self[item]
            except UnreadableAudio as failure:
                if not failure.may_pass:
                    raise
                time.sleep(pause)
        return self[item]

    def _codes(self, row: int, window: Window) -> list[torch.Tensor]:
        """Return the window's codes, padded to its full size; none where there is no cache."""
        if self.codes is None:
            return []
        padded = []
        for level, codes in enumerate(self.codes.codes(row, window.start, window.length)):
            size = self.geometry.token_span(level, 0, window.size).stop
            tensor = torch.from_numpy(codes.astype("int64"))
            padded.append(F.pad(tensor, (0, size - len(tensor))))
        return padded

    def _audio(self, utterance: CachedUtterance, start: int, window: Window) -> torch.Tensor:
        """Read the segment's audio, or the window's where that is to be encoded."""
        whole = self.codes is None
        first, length = (window.start, window.size) if whole else (start, self.segment_tokens)
        span = self.geometry.sample_span(self.reference.rate, first, length)
        return self.reference.read(utterance, span.start - self.margin, span.stop + self.margin)

    def _valid(self, utterance: CachedUtterance, start: int) -> dict[int, int]:
        """Count the segment's samples that the utterance has, at the rate of each output."""
        lengths = {
            self.geometry.sample_rate: self._num_samples(utterance),
            self.reference.rate: self.reference.frames(utterance),
        }
        valid = {}
        for rate, samples in lengths.items():
            span = self.geometry.sample_span(rate, start, self.segment_tokens)
            valid[rate] = min(samples, span.stop) - span.start
        return valid

    def _num_samples(self, utterance: CachedUtterance) -> int:
        """Return an utterance's length at the codec's rate, by what is encoded of it."""
        same_rate = self.reference.rate == self.geometry.sample_rate
        if self.codes is None and same_rate:
            return self.reference.frames(utterance)  # whose speed may have been changed
        return utterance.num_samples

    def _coarse_tokens(self, row: int, utterance: CachedUtterance) -> int:
        """Count an utterance's coarse tokens; raises Failure if they are not its audio's."""
        tokens = self.geometry.encoded_tokens(self._num_samples(utterance))[0]
        if self.codes is None:
            return tokens
        available = self.codes.coarse_tokens(row)
        samples = self.geometry.samples_from(utterance.source_sample_rate, utterance.num_frames)
        if (utterance.num_samples, available) != (samples, tokens):
            raise Failure(
                f"the codes of {utterance.utterance_id!r} are {available} coarse tokens for "
                f"{utterance.num_samples} samples, but its audio has {samples} samples at "
                f"{self.geometry.sample_rate} Hz. Run snac-cache --verify."
            )
        return available
