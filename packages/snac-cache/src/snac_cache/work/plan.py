"""Which rows are done together: parts of fixed rows, each always the same file."""

from dataclasses import dataclass
from pathlib import Path

SMALLEST_PART, LARGEST_PART, USUAL_PARTS = 32, 4096, 16


@dataclass(frozen=True)
class Part:
    """One share of a split's rows.

    Attributes:
        number: its place among the split's parts, from 0.
        rows: how many it has.
        sha256: of what decides the result of the work on these rows.
    """

    split: str
    number: int
    rows: int
    sha256: str

    @property
    def name(self) -> str:
        """File name in the split's folder."""
        return f"part-{self.number:05d}.parquet"

    def rejects_path(self, folder: Path) -> Path:
        """Where its rejects go: a place of their own, so that a glob finds results alone."""
        return folder / "rejects" / f"{self.split}-{self.name}"


def part_number(name: str) -> int | None:
    """Return the number in a part's file name, None if it is not one."""
    digits = name.removeprefix("part-").removesuffix(".parquet")
    return int(digits) if digits.isdecimal() and name == f"part-{int(digits):05d}.parquet" else None


def part_files(folder: Path) -> list[Path]:
    """Return the parts in a split's folder, by their number."""
    numbers = {path: part_number(path.name) for path in folder.glob("part-*.parquet")}
    return sorted(
        (path for path, number in numbers.items() if number is not None),
        key=lambda path: numbers[path] or 0,
    )


def usual_part_rows(num_rows: int) -> int:
    """Return rows a part, from the size of the split alone: about 16 parts, 32 to 4,096 rows."""
    return min(LARGEST_PART, max(SMALLEST_PART, -(-num_rows // USUAL_PARTS)))


def part_sizes(num_rows: int, part_rows: int | None) -> list[int]:
    """Return how many rows each part has: ``part_rows``, or the usual number, and the rest."""
    size = part_rows or usual_part_rows(num_rows)
    return [min(size, num_rows - start) for start in range(0, num_rows, size)]
