"""Who does what: fixed parts of the manifest."""

from dataclasses import dataclass

import pyarrow as pa

SMALLEST_PART, LARGEST_PART, USUAL_PARTS = 32, 4096, 16


@dataclass(frozen=True)
class Part:
    """Rows ``start`` to ``stop`` of one split's manifest: always the same parquet file."""

    split: str
    number: int
    start: int
    stop: int

    @property
    def name(self) -> str:
        """File name in the split's folder."""
        return f"part-{self.number:05d}.parquet"


def usual_part_rows(num_rows: int) -> int:
    """Return rows a part, from the size of the split alone: about 16 parts, 32 to 4,096 rows."""
    return min(LARGEST_PART, max(SMALLEST_PART, -(-num_rows // USUAL_PARTS)))


def plan_parts(
    manifest: dict[str, pa.Table], part_rows: int | None, first: dict[str, int] | None = None
) -> list[Part]:
    """Cut each split into parts by position, numbered from ``first[split]`` or 0."""
    parts = []
    for split, table in manifest.items():
        size = part_rows or usual_part_rows(table.num_rows)
        offset = first[split] if first else 0
        for number, start in enumerate(range(0, table.num_rows, size), start=offset):
            parts.append(Part(split, number, start, min(start + size, table.num_rows)))
    return parts
