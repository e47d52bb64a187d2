"""What a step works on: segments, and batches of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import torch

from snac_model.layers.noise import seed_tensor


@dataclass(frozen=True)
class Segment:
    """One utterance's segment, within the window that is decoded for it.

    Attributes:
        codes: int64 ``[tokens]`` a level, of the whole window, zero beyond the utterance; empty
            where the window is encoded from ``audio``.
        tokens: coarse tokens of the window that the utterance has.
        offset: coarse tokens of the window before the segment.
        audio: the segment, or the window where that is encoded, at the reference's rate with
            ``margin`` samples on each side, float32 ``[T]``.
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
class Reject:
    """An utterance whose audio could not be read, so that another one took its place."""

    utterance_id: str
    audio_path: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Batch:
    """Segments of equal length, with the names of ``Segment``; tensors have a batch axis first.

    Attributes:
        rejects: utterances in whose place others were read.
        noise_seeds: int64, see ``seed_tensor``.
        segment_tokens: coarse tokens in each segment.
        window_tokens: coarse tokens in each window.
        rate: of ``audio``, in Hz.
        margin: samples of ``audio`` on each side.
    """

    utterance_ids: list[str]
    noise_seeds: torch.Tensor
    codes: list[torch.Tensor]
    tokens: torch.Tensor
    offsets: torch.Tensor
    audio: torch.Tensor
    valid: dict[int, torch.Tensor]
    segment_tokens: int
    window_tokens: int
    rate: int
    margin: int
    rejects: tuple[Reject, ...] = ()

    @classmethod
    def of(cls, segments: Sequence[Segment], rejects: Sequence[Reject] = (), **sizes: int) -> Self:
        """Stack segments of equal length; ``sizes`` are the attributes named above."""
        levels = zip(*(segment.codes for segment in segments), strict=True)
        return cls(
            utterance_ids=[segment.utterance_id for segment in segments],
            noise_seeds=seed_tensor([segment.noise_seed for segment in segments]),
            codes=[torch.stack(level) for level in levels],
            tokens=torch.tensor([segment.tokens for segment in segments]),
            offsets=torch.tensor([segment.offset for segment in segments]),
            audio=torch.stack([segment.audio for segment in segments]),
            valid={
                rate: torch.tensor([segment.valid[rate] for segment in segments])
                for rate in segments[0].valid
            },
            rejects=tuple(rejects),
            **sizes,
        )

    def to(self, device: torch.device) -> Self:
        """Return the batch with its tensors on ``device``."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> Self:
        """Return the batch in memory that a GPU can fetch by itself; DataLoader asks for it."""
        return self._each(torch.Tensor.pin_memory)

    def _each(self, move: Callable[[torch.Tensor], torch.Tensor]) -> Self:
        moved = {field.name: _apply(move, getattr(self, field.name)) for field in fields(self)}
        return type(self)(**moved)

    def __len__(self) -> int:
        return len(self.utterance_ids)


def _apply(move: Callable[[torch.Tensor], torch.Tensor], value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return move(value)
    if isinstance(value, dict):
        return {name: _apply(move, item) for name, item in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], torch.Tensor):
        return [_apply(move, item) for item in value]
    return value
