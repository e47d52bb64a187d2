"""What encoding yields, and how it compares; free of torch."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Encoded:
    """One utterance's codes: uint16 ``[tokens]`` a level, and its length before padding."""

    num_samples: int
    codes: list[np.ndarray]


@dataclass(frozen=True)
class Agreement:
    """How many tokens came out alike when utterances were encoded again one at a time."""

    equal: int = 0
    total: int = 0

    def __add__(self, other: "Agreement") -> "Agreement":
        return Agreement(self.equal + other.equal, self.total + other.total)

    @property
    def share(self) -> float | None:
        """Share of equal tokens; None if nothing was compared."""
        return self.equal / self.total if self.total else None
