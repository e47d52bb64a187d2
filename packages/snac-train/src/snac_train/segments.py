"""What a step works on: segments, and batches of them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import torch


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

    @classmethod
    def of(cls, segments: Sequence[Segment], *, segment_tokens: int, margin: int) -> Self:
        """Stack segments of equal length."""
        levels = zip(*(segment.codes for segment in segments), strict=True)
        return cls(
            utterance_ids=[segment.utterance_id for segment in segments],
            noise_seeds=[segment.noise_seed for segment in segments],
            codes=[torch.stack(level) for level in levels],
            tokens=torch.tensor([segment.tokens for segment in segments]),
            offsets=[segment.offset for segment in segments],
            audio=torch.stack([segment.audio for segment in segments]),
            valid={
                rate: torch.tensor([segment.valid[rate] for segment in segments])
                for rate in segments[0].valid
            },
            segment_tokens=segment_tokens,
            margin=margin,
        )

    def to(self, device: torch.device) -> Self:
        """Return the batch with its tensors on ``device``."""
        return type(self)(
            **{field.name: _to(getattr(self, field.name), device) for field in fields(self)}
        )

    def __len__(self) -> int:
        return len(self.utterance_ids)


def _to(value: Any, device: torch.device) -> Any:
    if isinstance(value, torch.Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, dict):
        return {name: _to(item, device) for name, item in value.items()}
    if isinstance(value, list) and isinstance(value[0], torch.Tensor):
        return [_to(item, device) for item in value]
    return value
