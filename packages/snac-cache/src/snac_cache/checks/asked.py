"""What a cache was asked for: the rows of its plan."""

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

PLANNED = pa.schema(
    [("split", pa.string()), ("rows", pa.int64()), ("parts", pa.int64()), ("problem", pa.string())]
)
REQUESTED = pa.schema([("utterance_id", pa.string())])


@dataclass(frozen=True)
class Planned:
    """The plan of a cache.

    Attributes:
        splits: as in ``PLANNED``; ``problem`` says why a split's ids are not known.
        requested: as in ``REQUESTED``.
    """

    splits: list[dict[str, Any]] = field(default_factory=list)
    requested: list[pa.Table] = field(default_factory=list)
