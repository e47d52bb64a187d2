"""Tables of text for a terminal."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import IO, Any, Generic, TypeVar

from snac_common.console import visible

GAP = 2
WIDEST_CELL = 100
NARROWEST_CELL = 8

Row = TypeVar("Row")


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column of an overview; those of higher ``rank`` are left out first where it is narrow."""

    name: str
    rank: int
    cell: Callable[[Row], str]


def write_overview(
    columns: Sequence[Column[Row]], rows: Sequence[Row], width: int | None, output: IO[str]
) -> None:
    """Write one line a row, with the columns that say something and for which there is room."""
    shown = [column for column in columns if any(column.cell(row) for row in rows)]
    while width and shown[-1].rank and _width(shown, rows) > width:
        shown.remove(max(shown, key=lambda column: column.rank))
    cells = [[column.cell(row) for column in shown] for row in rows]
    write_table([column.name for column in shown], cells, output)


def write_table(
    names: Sequence[str],
    rows: Iterable[Sequence[Any]],
    output: IO[str],
    width: int | None = None,
) -> None:
    """Write columns under their names, numbers to the right, long values cut.

    Control characters are shown as escapes, for this goes to a terminal.

    Args:
        width: of the terminal; the widest cells of text are cut until the table fits.
    """
    values = list(rows)
    body = [[_cell(value) for value in row] for row in values]
    numbers = [all(isinstance(row[i], int | float) for row in values) for i in range(len(names))]
    cells = [list(map(visible, names)), *body]
    limits = _limits(cells, numbers, width)
    cut = [[_cut(cell, limit) for cell, limit in zip(line, limits, strict=True)] for line in cells]
    rule = ["-" * max(map(len, column)) for column in zip(*cut, strict=True)]
    output.write(aligned([cut[0], rule, *cut[1:]], numbers) + "\n")


def aligned(lines: Sequence[Sequence[str]], to_the_right: Sequence[bool]) -> str:
    """Pad the cells of a table until its columns stand below each other.

    Control characters are shown as escapes, for a cell may hold a name that anyone chose.

    Args:
        lines: the cells of each line, as many in every one.
        to_the_right: of each column, whether it is of numbers.
    """
    shown = [[visible(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    rows = []
    for line in shown:
        cells = [
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(line, widths, to_the_right, strict=True)
        ]
        rows.append((" " * GAP).join(cells).rstrip())
    return "\n".join(rows)


def _limits(
    cells: Sequence[Sequence[str]], numbers: Sequence[bool], width: int | None
) -> list[int]:
    """Return how wide each column may be; the widest of text gives way first, names last."""
    limits = [min(WIDEST_CELL, max(map(len, column))) for column in zip(*cells, strict=True)]
    while width and sum(limits) + GAP * (len(limits) - 1) > width:
        wide = [i for i, limit in enumerate(limits) if limit > NARROWEST_CELL and not numbers[i]]
        if not wide:
            break
        limits[max(wide, key=lambda i: (i > 0, limits[i]))] -= 1
    return limits


def _width(columns: Sequence[Column[Row]], rows: Sequence[Row]) -> int:
    widest = [
        max(len(column.name), *(len(visible(column.cell(row))) for row in rows))
        for column in columns
    ]
    return sum(widest) + GAP * (len(columns) - 1)


def _cell(value: Any) -> str:
    return "" if value is None else visible(" ".join(str(value).split()))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
