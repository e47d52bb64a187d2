"""Segments of cached utterances: codes, and exactly the audio that those codes cover."""

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

from snac_cache.store import CachedUtterance, CodeStore
from snac_model.errors import Failure
from snac_model.geometry import Geometry
from snac_train.slices import Draws, Window, window_around
from snac_train.targets import TARGET_RATE, expected_frames, margin_for, read_target


@dataclass(frozen=True)
class Segment:
    """One utterance's segment, within the window that is decoded for it.

    Attributes:
        codes: int64 ``[tokens]`` a level, of the whole window; zero beyond the utterance.
        tokens: coarse tokens of the window that the utterance has.
        offset: coarse tokens of the window before the segment.
        audio: the segment at 48 kHz with ``margin`` samples on each side, float32 ``[T]``.
        valid: samples of the segment that are the utterance's own, by rate.
    """

    utterance_id: str
    noise_seed: int
    codes: list[torch.Tensor]
    tokens: int
    offset: int
    audio: torch.Tensor
    valid: dict[int, int]


@dataclass(frozen=True)
class Batch:
    """Segments of equal length, with the names of ``Segment``; tensors have a batch axis first.

    Attributes:
        segment_tokens: coarse tokens in each segment.
        margin: samples of ``audio`` on each side of the segment.
    """

    utterance_ids: list[str]
    noise_seeds: list[int]
    codes: list[torch.Tensor]
    tokens: torch.Tensor
    offsets: list[int]
    audio: torch.Tensor
    valid: dict[int, torch.Tensor]
    segment_tokens: int
    margin: int

    def to(self, device: torch.device) -> Self:
        """Return the batch with its tensors on ``device``."""
        return type(self)(
            **{field.name: _to(getattr(self, field.name), device) for field in fields(self)}
        )

    def __len__(self) -> int:
        return len(self.utterance_ids)


class SegmentDataset(Dataset):
    """One segment of each chosen utterance.

    Args:
        store: the split's codes.
        rows: chosen rows of ``store``; item ``i`` is a segment of row ``rows[i]``.
        geometry: of the model that decodes them.
        segment_tokens: coarse tokens in a segment.
        context: coarse tokens decoded on each side of it.
        draws: where each utterance's segment starts, and its noise.
    """

    def __init__(
        self,
        store: CodeStore,
        rows: Sequence[int],
        geometry: Geometry,
        segment_tokens: int,
        context: int,
        draws: Draws,
    ) -> None:
        self.store = store
        self.rows = rows
        self.geometry = geometry
        self.segment_tokens = segment_tokens
        self.context = context
        self.draws = draws
        self.margin = margin_for(geometry.sample_rate)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, item: int) -> Segment:
        """Read one segment; raises Failure if its codes and its target do not fit together."""
        row = self.rows[item]
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
                rate: self._valid(rate, start, samples)
                for rate, samples in (
                    (self.geometry.sample_rate, utterance.num_samples),
                    (TARGET_RATE, expected_frames(utterance)),
                )
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

    def collate(self, segments: Sequence[Segment]) -> Batch:
        """Stack segments."""
        return Batch(
            utterance_ids=[segment.utterance_id for segment in segments],
            noise_seeds=[segment.noise_seed for segment in segments],
            codes=[torch.stack(level) for level in zip(*(s.codes for s in segments), strict=True)],
            tokens=torch.tensor([segment.tokens for segment in segments]),
            offsets=[segment.offset for segment in segments],
            audio=torch.stack([segment.audio for segment in segments]),
            valid={
                rate: torch.tensor([segment.valid[rate] for segment in segments])
                for rate in segments[0].valid
            },
            segment_tokens=self.segment_tokens,
            margin=self.margin,
        )


def load_batches(
    dataset: SegmentDataset, batches: list[list[int]], workers: int, device: torch.device
) -> Iterator[Batch]:
    """Yield the batches on ``device``, read ahead by ``workers`` processes."""
    loader: DataLoader = DataLoader(
        _FailuresReturned(dataset, batches),  # type: ignore[arg-type]
        batch_size=None,
        num_workers=workers,
        worker_init_fn=_leave_signals_to_parent,
    )
    for batch in loader:
        if isinstance(batch, Failure):
            raise batch
        yield batch.to(device)


class _FailuresReturned(Dataset):
    """Whole batches by number; a failure is returned, as raising it would wrap it in a traceback.

    A worker process can only raise an error as text of a traceback, which is not for people.
    """

    def __init__(self, dataset: SegmentDataset, batches: list[list[int]]) -> None:
        self.dataset = dataset
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> Batch | Failure:
        try:
            return self.dataset.collate([self.dataset[item] for item in self.batches[number]])
        except Failure as failure:
            return failure


def _leave_signals_to_parent(worker: int) -> None:
    """Let an interrupt reach the main process alone, which ends the workers in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _to(value: Any, device: torch.device) -> Any:
    if isinstance(value, torch.Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, dict):
        return {name: _to(item, device) for name, item in value.items()}
    if isinstance(value, list) and isinstance(value[0], torch.Tensor):
        return [_to(item, device) for item in value]
    return value
