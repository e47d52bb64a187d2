"""The words of ``--fail-if``."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from snac_common.errors import BadInput

TOKEN = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(?![\w.]|/[a-z_])"
    r"|(?P<name>(?:[a-z]+:)?(?=\d*[a-z_])\w+(?:/(?=\d*[a-z_])\w+)*(?:@[\d.]+s)?)"
    r"|(?P<sign>[<>]=?|[-+*/()])",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Token:
    """A ``number``, ``name`` or ``sign``, or the ``end``; and where it begins."""

    kind: str
    text: str
    position: int


def tokens(text: str) -> Iterator[Token]:
    """Cut a rule into its words; raises BadInput pointing at what is none."""
    position, end = 0, len(text.rstrip())
    while position < end:
        if text[position].isspace():
            position += 1
            continue
        found = TOKEN.match(text, position)
        if not found:
            raise misplaced(text, position, f"{text[position]!r} means nothing here")
        yield Token(found.lastgroup or "", found[0], position)
        position = found.end()
    yield Token("end", "", end)


def misplaced(text: str, position: int, problem: str) -> BadInput:
    """Return the error that points at a place in a rule."""
    return BadInput(f"--fail-if: {problem}\n    {text}\n    {' ' * position}^")
