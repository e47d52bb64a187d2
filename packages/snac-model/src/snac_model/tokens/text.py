"""Reading the tokens that a language model writes, as they come; free of torch.

The text is one ``<custom_token_N>`` after another, white space between them or not, one line an
utterance. Whatever else is there is reported with its place, and the frame that it broke is left
out: reading goes on at the next token that begins a frame.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from snac_common.errors import Failure
from snac_model.tokens.layout import TokenLayout

Frame = tuple[int, ...]

_PIECE = re.compile(r"<custom_token_(?P<number>\d{1,18})>|(?P<end>\n)|(?P<space>\s)|<?[^<\s]*")
_BEGINNING = "<custom_token_"
_CUT = re.compile(_BEGINNING + r"\d{0,18}")
_LONGEST = len(_BEGINNING) + 20


@dataclass(frozen=True)
class BadToken:
    """What is wrong in the text, and where: all counts from 1; ``token`` within its line."""

    line: int
    column: int
    token: int
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}, token {self.token}: {self.problem}"


def stop(bad: BadToken) -> None:
    """Raise Failure: for where nothing wrong is to be passed over."""
    raise Failure(f"bad token: {bad}")


class TokenReader:
    """Reads text in pieces of any size.

    Args:
        layout: of the frames.
        on_bad: told of what is wrong; what it raises ends the reading.

    Attributes:
        line: number of the line that is being read, from 1.
        bad: how many times something was wrong.
    """

    def __init__(self, layout: TokenLayout, on_bad: Callable[[BadToken], object] = stop) -> None:
        self.layout = layout
        self.on_bad = on_bad
        self.line = self.bad = 0
        self.held = ""
        self._begin_line()

    def feed(self, text: str) -> Iterator[Frame | None]:
        """Yield the codes of each frame that is whole by now, in its order; None ends a line."""
        text = self.held + text
        position = 0
        while position < len(text) and not _is_cut(text[position : position + _LONGEST]):
            piece = _PIECE.match(text, position)
            assert piece is not None  # the pattern takes whatever there is
            position = piece.end()
            yield from self._end_line() if piece["end"] else self._take(piece)
        self.held = text[position:]

    def finish(self) -> Iterator[Frame | None]:
        """End the last line, if it lacks its end."""
        if self.held or self.column > 1:
            yield from self.feed("\n")

    def _begin_line(self) -> None:
        self.line += 1
        self.column = 1
        self.token = 1
        self.frame: list[int] = []
        self.skipping = False

    def _take(self, piece: re.Match[str]) -> Iterator[Frame]:
        if piece["number"]:
            yield from self._add(int(piece["number"]))
            self.token += 1
        elif not piece["space"]:
            self._report(f"text in between: {piece[0][:40]!r}")
        self.column += len(piece[0])

    def _end_line(self) -> Iterator[None]:
        if self.frame:
            self._report(f"the line ends within a frame, after {len(self.frame)} tokens of it")
        self._begin_line()
        yield None

    def _add(self, number: int) -> Iterator[Frame]:
        """Add a token to the frame; yield the frame when it is whole."""
        place = self.layout.place(number)
        if place is None:
            self._report(f"{number} is out of range")
            return
        position, code = place
        if position != len(self.frame):
            self._report(f"{number} is for place {position + 1}, not {len(self.frame) + 1}")
            if position:
                return
        self.skipping = False
        self.frame.append(code)
        if len(self.frame) == len(self.layout.order):
            yield tuple(self.frame)
            self.frame = []

    def _report(self, problem: str) -> None:
        """Report what breaks a frame, once, and leave the frame out."""
        self.frame = []
        if not self.skipping:
            self.bad += 1
            self.on_bad(BadToken(self.line, self.column, self.token, problem))
        self.skipping = True


def _is_cut(rest: str) -> bool:
    """Whether the rest of a text may be the beginning of a token whose end is still to come."""
    return _BEGINNING.startswith(rest) or _CUT.fullmatch(rest) is not None


def read_tokens(text: str, layout: TokenLayout) -> list[np.ndarray]:
    """Return the codes, int64 ``[tokens]`` a level, of one utterance's tokens.

    Raises:
        Failure: with its place, for whatever is not a token of a whole frame.
    """
    reader = TokenReader(layout)
    frames = [frame for frame in [*reader.feed(text), *reader.finish()] if frame is not None]
    return layout.to_levels(frames)
