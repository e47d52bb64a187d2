"""What a run of ``snac-upsample`` was asked for; free of torch."""

from dataclasses import dataclass, field
from pathlib import Path

from snac_cache.targets.choice import EngineChoice
from snac_cache.work.ranks import Rank


@dataclass(frozen=True)
class TargetRequest:
    """What the command was asked for.

    Attributes:
        folder: of the targets, and of the plan and the parts that say what was made.
        max_lag: samples at 48 kHz that are corrected.
        devices: one worker process each.
        part_rows: rows in a part, for rows that are not planned yet; by default decided by their
            number.
        rank: which of the processes that share the work this is.
        retry: try rows again that were rejected.
        verify: decode every finished target, and make damaged ones anew.
        shards: write the targets of each part into one tar.
    """

    folder: Path
    engine: EngineChoice
    max_lag: int
    devices: list[str]
    part_rows: int | None = None
    rank: Rank = field(default_factory=Rank)
    retry: bool = False
    verify: bool = False
    shards: bool = False
