"""Tables of text for a terminal."""

from collections.abc import Sequence

from snac_common.console import visible


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
        rows.append("  ".join(cells).rstrip())
    return "\n".join(rows)
