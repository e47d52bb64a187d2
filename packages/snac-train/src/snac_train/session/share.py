"""What one rank does of a step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from snac_common.errors import Failure
from snac_train.data.segments import Batch, Reject
from snac_train.data.slices import MicroBatch


@dataclass(frozen=True)
class Share:
    """A rank's share of a batch of ``samples`` items.

    Attributes:
        batches: its micro-batches.
        counted: whether their losses count.
        failure: why the share could not be read, if so; the batches are silence then, as every
            rank must take part in each step.
    """

    batches: Sequence[Batch]
    counted: bool
    samples: int
    failure: Failure | None = None

    @classmethod
    def of(
        cls,
        read: Sequence[Batch | Failure],
        asked: Sequence[MicroBatch],
        samples: int,
        silence: Callable[[], Batch],
    ) -> Self:
        """Put together what was read for the micro-batches that were ``asked`` for."""
        failures = [batch for batch in read if isinstance(batch, Failure)]
        if failures:
            return cls([silence()], False, samples, failures[0])
        batches = [batch for batch in read if isinstance(batch, Batch)]
        return cls(batches, asked[0].counted, samples)

    @property
    def rejects(self) -> list[Reject]:
        """Utterances that could not be read, if it is this rank that counts them."""
        return [reject for batch in self.batches for reject in batch.rejects if self.counted]
