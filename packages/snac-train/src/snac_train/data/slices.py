"""Every random choice about the data, as a pure function of what it is for.

Nothing is drawn from a generator that has a history: an epoch's order depends on (seed, epoch), an
utterance's slice and noise on (seed, epoch, utterance), whatever was done before and by whom.
"""

import hashlib
from dataclasses import dataclass
from typing import Self

import numpy as np


def hash64(*parts: object) -> int:
    """Return 64 bits that depend on every part and on where one part ends."""
    text = "\0".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


@dataclass(frozen=True)
class Draws:
    """The choices for each utterance within one scope: an epoch, or validation."""

    scope: str

    @classmethod
    def for_epoch(cls, seed: int, epoch: int) -> Self:
        """Choices of one training epoch."""
        return cls(f"train {seed} {epoch}")

    @classmethod
    def for_codebooks(cls, seed: int, epoch: int, number: int) -> Self:
        """Choices of what codebooks are filled from before an epoch, each time something else."""
        return cls(f"codebooks {seed} {epoch} {number}")

    @classmethod
    def for_validation(cls, seed: int) -> Self:
        """Choices of every validation."""
        return cls(f"validation {seed}")

    def start(self, utterance_id: str, segment: int, available: int) -> int:
        """First coarse token of the segment: 0 where the utterance is no longer than it."""
        choices = max(0, available - segment) + 1
        return hash64(self.scope, "slice", utterance_id) % choices

    def share(self, what: str, utterance_id: str) -> float:
        """Draw a number from 0 to below 1 for one purpose."""
        return hash64(self.scope, what, utterance_id) / 2**64

    def noise_seed(self, utterance_id: str) -> int:
        """Seed of the decoder's noise."""
        return hash64(self.scope, "noise", utterance_id)


def epoch_batches(seed: int, epoch: int, utterances: int, batch_size: int) -> list[np.ndarray]:
    """Return an epoch's global batches: each of the utterances' positions once, the last shorter.

    The same whatever the number of processes that share a batch.
    """
    order = np.random.default_rng(hash64("order", seed, epoch)).permutation(utterances)
    return in_order(order, batch_size)


def in_order(positions: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Cut positions into batches, which are views: there may be millions of positions."""
    return [positions[start : start + batch_size] for start in range(0, len(positions), batch_size)]


@dataclass(frozen=True)
class MicroBatch:
    """What one rank decodes at once of a batch.

    Attributes:
        positions: of the utterances.
        counted: whether its losses count. A rank whose share of a batch is empty decodes an
            utterance that another one counts, because all must take part in each step.
    """

    positions: np.ndarray
    counted: bool = True


def micro_batches(batch: np.ndarray, rank: int, world_size: int, pieces: int) -> list[MicroBatch]:
    """Cut a rank's share of a batch into at most ``pieces`` micro-batches."""
    share = batch[rank::world_size]
    if not len(share):
        return [MicroBatch(batch[:1], counted=False)]
    return [MicroBatch(part) for part in in_order(share, -(-len(share) // pieces))]


@dataclass(frozen=True)
class Window:
    """What is decoded for a segment, in coarse tokens of the utterance.

    Attributes:
        start: first token of the window.
        length: tokens that the utterance has in it; fewer than ``size`` if it is shorter.
        size: tokens of the window.
        offset: tokens of the window before the segment.
    """

    start: int
    length: int
    size: int
    offset: int


def window_around(start: int, segment: int, context: int, available: int) -> Window:
    """Place a window of ``segment + 2 * context`` tokens, within the utterance if that is longer.

    The segment keeps ``context`` tokens on each side, or all that the utterance has there.
    """
    size = segment + 2 * context
    first = max(0, min(start - context, available - size))
    return Window(first, min(size, available - first), size, start - first)
