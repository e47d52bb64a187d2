"""What a caching command was asked for."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from snac_cache.work.ranks import Rank

Precision = Literal["fp32", "tf32", "bf16"]

GPU_BATCH_SECONDS = 240.0


@dataclass(frozen=True)
class CacheRequest:
    """What the command was asked for.

    Attributes:
        devices: one worker process each.
        part_rows: rows in a part; by default decided by the size of the split.
        rank: which of the processes that share the work this is.
        overwrite: delete the cache that is there.
        append: encode rows that the cache does not hold too, into new parts.
        retry: encode parts that hold rejects again.
        verify: read finished parts to their last byte, and make damaged ones anew.
        read_threads: that each worker reads with.
        batch_seconds: of audio that a GPU encodes at once, at most.
    """

    folder: Path
    model: str
    devices: list[str]
    precision: Precision = "fp32"
    part_rows: int | None = None
    rank: Rank = field(default_factory=Rank)
    overwrite: bool = False
    append: bool = False
    retry: bool = False
    verify: bool = False
    read_threads: int = 1
    batch_seconds: float = GPU_BATCH_SECONDS
