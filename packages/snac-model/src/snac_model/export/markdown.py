"""Names and texts of others within Markdown: shown as they are, whatever is in them."""

import html
import re
from pathlib import Path

_MARKUP = re.compile(r"([\\`*_\[\]|~])")


def as_text(text: str) -> str:
    """Return one line of running text."""
    return _MARKUP.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))


def as_code(text: str) -> str:
    """Return a piece of code within a line, between more backticks than it has in a row."""
    line = " ".join(text.split())
    fence = "`" * (_longest_run(line) + 1)
    space = " " if "`" in line else ""
    return f"{fence}{space}{line}{space}{fence}"


def as_block(text: str, language: str) -> str:
    """Return a block of code, between more backticks than it has in a row."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def public_name(model: str) -> str:
    """Return how a model may be called in public: of a path, the last two parts."""
    return "/".join(Path(model).parts[-2:])


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
