"""The text that stands before the codes: a pattern, filled in from the manifest's columns."""

from dataclasses import dataclass
from string import Formatter
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from snac_common.errors import BadInput

BLANK = r"^\s*$"


@dataclass(frozen=True)
class Pattern:
    """Text with names of columns in braces, such as ``{speaker}: {text}``.

    Attributes:
        text: as it was written.
        pieces: text, and the column that comes after it; None at the end.
    """

    text: str
    pieces: tuple[tuple[str, str | None], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a pattern; ``{{`` and ``}}`` are braces themselves.

        Raises:
            BadInput: if braces do not match, or hold no plain name of a column.
        """
        try:
            pieces = [
                (literal, name) for literal, name, form, how in _parsed(text) if not (form or how)
            ]
            if len(pieces) != len(_parsed(text)) or any(name == "" for _, name in pieces):
                raise ValueError("write names of columns in braces, and nothing else there")
        except ValueError as error:
            raise BadInput(
                f"--prompt {text!r}: {error}. It looks like this: '{{speaker}}: {{text}}'"
            ) from error
        pattern = cls(text, tuple(pieces))
        if not pattern.columns:
            raise BadInput(f"--prompt {text!r} names no column: write {{text}} where it stands")
        return pattern

    @property
    def columns(self) -> list[str]:
        """The columns that it names, each once."""
        return list(dict.fromkeys(name for _, name in self.pieces if name is not None))

    def fill_in(self, rows: pa.Table) -> tuple[pa.Array, np.ndarray]:
        """Return the text of each row, and which column it lacks: a number in ``columns``, or -1.

        A column is lacking where it is NULL or blank; the text is NULL there.
        """
        texts = {name: rows.column(name).cast(pa.string()) for name in self.columns}
        lacking = np.full(rows.num_rows, -1)
        for number, text in reversed(list(enumerate(texts.values()))):
            blank = pc.match_substring_regex(text, BLANK).fill_null(True)
            lacking[blank.to_numpy()] = number
        parts: list[pa.ChunkedArray | str] = []
        for literal, name in self.pieces:
            parts += [literal] if name is None else [literal, texts[name]]
        filled = pc.binary_join_element_wise(*parts, "")
        complete = pa.array(lacking < 0)
        return pc.if_else(complete, _one_chunk(filled), pa.scalar(None, pa.string())), lacking


def _parsed(text: str) -> list[tuple[str, str | None, str | None, str | None]]:
    return list(Formatter().parse(text))


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()
