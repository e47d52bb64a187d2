"""What a command says: notes for the person on stderr, one line of summary on stdout."""

import codecs
import json
import math
import os
import re
import shutil
import sys
from typing import IO, Any

import click

from snac_common.addresses import with_addresses

# What moves a terminal's cursor, changes its colours or the direction of text; and what is no text.
_NOT_SHOWN = r"\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_CONTROLS = re.compile(rf"[\x00-\x1f{_NOT_SHOWN}]")
_CONTROLS_IN_LINES = re.compile(rf"[\x00-\x08\x0b-\x1f{_NOT_SHOWN}]")
_CLEAR_LINE = "\r\x1b[K"
_ERROR = "error:"
_AS_JSON = "snac-as-json"

_is_quiet = False


def set_quiet(quiet: bool) -> None:
    """Say whether this process keeps its notes and progress to itself."""
    global _is_quiet  # noqa: PLW0603  # each command that starts in this process says it anew
    _is_quiet = quiet


def is_quiet() -> bool:
    """Say whether notes and progress are not to be shown."""
    return _is_quiet


def note(message: str) -> None:
    """Tell the person something, on stderr; of control characters only line ends and tabs pass.

    A command that is ``--quiet`` tells nothing. Places in an object store are named by address.
    """
    if not _is_quiet:
        complain(message)


def complain(message: str) -> None:
    """Tell the person what went wrong, however quiet the command; as ``note``.

    On a terminal the line is cleared first, for a bar may be there, or the ``^C`` that it shows.
    """
    text = _CONTROLS_IN_LINES.sub(_escape, with_addresses(message))
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        if text.startswith(_ERROR) and not os.environ.get("NO_COLOR"):
            text = click.style(_ERROR, fg="red") + text.removeprefix(_ERROR)
        text = _CLEAR_LINE + text
    click.echo(text, err=True)


def visible(text: str) -> str:
    """Return text that is safe to show in one line: control characters become escapes."""
    return _CONTROLS.sub(_escape, text)


def for_people(stream: IO[str] | None = None) -> bool:
    """Say whether a stream, by default stdout, is a terminal: what is written is read by people.

    They get tables. Whatever else reads gets JSON lines, and nothing beside them.
    """
    return (stream or sys.stdout).isatty()


def terminal_width() -> int | None:
    """Return the columns of the terminal, or what ``$COLUMNS`` says; None where there is none."""
    return shutil.get_terminal_size((0, 0)).columns or None


def print_summary(*, to_stderr: bool = False, **fields: Any) -> None:
    """Print the one JSON line that closes a command's output; on stderr when stdout is data.

    Numbers that JSON lacks (NaN, infinities) become null. On a terminal numbers have the digits
    that a person reads.
    """
    if for_people(sys.stderr if to_stderr else sys.stdout):
        fields = _with_few_digits(fields)
    click.echo(with_addresses(json_line(fields)), err=to_stderr)


def json_line(value: Any) -> str:
    """Return a value as one line of JSON that no terminal takes for commands.

    Numbers that JSON lacks (NaN, infinities) become null, dates and the like text.
    """
    line = json.dumps(without_nan(value), ensure_ascii=False, allow_nan=False, default=str)
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


def without_nan(value: Any) -> Any:
    """Return a value for JSON with None in place of each NaN and infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return value


def escape_what_cannot_be_shown() -> None:
    """Have stdout and stderr write what their encoding lacks as JSON does, ``\\u00e9``.

    So a name in any script ends no command, and JSON remains JSON, in a terminal that is ASCII.
    """
    codecs.register_error(_AS_JSON, _escape_as_json)
    for stream in (sys.stdout, sys.stderr):
        encoding = codecs.lookup(stream.encoding or "utf-8").name
        if encoding != "utf-8" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_AS_JSON)


def _escape_as_json(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end]
    return json.dumps(lacking)[1:-1], error.end


def _with_few_digits(value: Any) -> Any:
    """Round each number to four digits, but to no less than whole ones."""
    if isinstance(value, float) and math.isfinite(value):
        return round(value) if abs(value) >= 1000 else float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _with_few_digits(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_few_digits(item) for item in value]
    return value


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
