"""Who encodes what: fixed parts of the manifest, and batches of equal padded length."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from snac_model.geometry import Geometry

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


def plan_batches(
    num_samples: Sequence[int], geometry: Geometry, max_samples: int
) -> list[list[int]]:
    """Group utterances of equal padded length, so that nothing in a batch is masked.

    Args:
        num_samples: length of each utterance at the codec's rate.
        max_samples: padded samples in a batch; an utterance longer than that is a batch alone.

    Returns:
        Positions in ``num_samples``, each once, longest utterances first: memory that was enough
        for them is enough for all that follow, which need no more of it.
    """
    by_length: dict[int, list[int]] = defaultdict(list)
    for position, length in enumerate(num_samples):
        by_length[geometry.padded_samples(length)].append(position)
    batches: list[list[int]] = []
    for padded, positions in sorted(by_length.items(), reverse=True):
        size = max(1, max_samples // padded)
        batches.extend(positions[i : i + size] for i in range(0, len(positions), size))
    return batches
