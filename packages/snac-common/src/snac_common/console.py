"""What a command says: notes for the person on stderr, one line of summary on stdout."""

import json
import math
import re
from typing import Any

import click

# What moves a terminal's cursor, changes its colours or the direction of text; and what is no text.
_NOT_SHOWN = r"\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_CONTROLS = re.compile(rf"[\x00-\x1f{_NOT_SHOWN}]")
_CONTROLS_IN_LINES = re.compile(rf"[\x00-\x08\x0b-\x1f{_NOT_SHOWN}]")


def note(message: str) -> None:
    """Tell the person something, on stderr; of control characters only line ends and tabs pass."""
    click.echo(_CONTROLS_IN_LINES.sub(_escape, message), err=True)


def visible(text: str) -> str:
    """Return text that is safe to show in one line: control characters become escapes."""
    return _CONTROLS.sub(_escape, text)


def print_summary(*, to_stderr: bool = False, **fields: Any) -> None:
    """Print the one JSON line that closes a command's output; on stderr when stdout is data.

    Numbers that JSON lacks (NaN, infinities) become null.
    """
    line = json.dumps(without_nan(fields), ensure_ascii=False, allow_nan=False)
    click.echo(_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", line), err=to_stderr)


def without_nan(value: Any) -> Any:
    """Return a value for JSON with None in place of each NaN and infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return value


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
