"""How far a cache is, from what lies in its folder: on any machine that sees it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pyarrow as pa

from snac_cache.store.description import totals
from snac_cache.store.parts import READING_THREADS, PartRecord, codes_path
from snac_cache.work.plan import Part
from snac_cache.work.plan_file import FOLDER, Plan
from snac_common.errors import Failure


@dataclass(frozen=True)
class CacheProgress:
    """What is done and what is left.

    Attributes:
        parts: that there should be, of which ``finished`` are there.
        planned_rows: utterances of the manifest.
        rows: cached.
        audio_seconds: of those.
        rejects: utterances that could not be encoded, by reason.
    """

    folder: Path
    parts: int
    finished: int
    planned_rows: int
    rows: int
    audio_seconds: float
    rejects: dict[str, int]

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Read the plan, and the footer of every part.

        Raises:
            Failure: if no cache was begun there, or its plan is damaged.
        """
        plan = Plan.read(folder / FOLDER)
        if plan is None:
            raise Failure(f"no cache was begun in {folder}. Run snac-cache, or give its folder.")
        with ThreadPoolExecutor(READING_THREADS) as pool:
            found = pool.map(lambda part: _record(folder, part), plan.parts)
            records = [record for record in found if record is not None]
        summed = totals(records)
        return cls(
            folder,
            parts=len(plan.parts),
            finished=len(records),
            planned_rows=sum(part.rows for part in plan.parts),
            rows=summed["rows"],
            audio_seconds=sum(record.audio_seconds for record in records),
            rejects=summed["rejects"],
        )

    @property
    def rows_left(self) -> int:
        """Utterances that are neither cached nor rejected."""
        return self.planned_rows - self.rows - sum(self.rejects.values())


def _record(folder: Path, part: Part) -> PartRecord | None:
    try:
        record, _ = PartRecord.read(codes_path(folder, part))
    except (OSError, ValueError, pa.ArrowException):
        return None
    return record if record.source_sha256 == part.sha256 else None
