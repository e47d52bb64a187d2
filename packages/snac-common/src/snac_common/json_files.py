"""Small JSON files of ours, which may have been damaged or edited since they were written."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any

from snac_common.errors import Failure

Types = Mapping[str, "type | UnionType"]

_NAMES = {
    bool: "true or false",
    dict: "an object",
    float: "a number",
    int: "a whole number",
    list: "a list",
    str: "a text",
}


def read_json_object(path: Path, required: Types | None = None) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Args:
        required: as for ``check_fields``.

    Raises:
        Failure: naming the file, if it is absent, damaged, or lacks what is required.
    """
    content = parse_json_object(read_text_file(path), str(path))
    check_fields(content, required or {}, str(path))
    return content


def check_fields(content: dict[str, Any], required: Types, source: str) -> None:
    """Check that fields are there, and the types of their values.

    Args:
        content: of a JSON or TOML file.
        required: a type for each field: ``{"epoch": int, "plan.steps": int}``, which is ``steps``
            in the object ``plan``. A whole number serves as a ``float``; true and false are no
            numbers.
        source: names the file.

    Raises:
        Failure: naming the file and the field.
    """
    for name, wanted in required.items():
        value: Any = content
        for part in name.split("."):
            if not isinstance(value, dict) or part not in value:
                raise Failure(f"{source} is damaged: it has no {name!r}")
            value = value[part]
        if not _is_of(value, wanted):
            shown = json.dumps(value, default=str)[:100]
            raise Failure(f"{source} is damaged: {name!r} is {shown}, not {_in_words(wanted)}")


def parse_json_object(text: str, source: str) -> dict[str, Any]:
    """Parse one JSON object; ``source`` names its place in the Failure if it is none."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Failure(f"{source} is damaged: it is no JSON ({error})") from error
    if not isinstance(content, dict):
        raise Failure(f"{source} is damaged: it holds no JSON object")
    return content


def read_text_file(path: Path) -> str:
    """Read a text file as UTF-8; raises Failure naming it if it cannot be read as that."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Failure(f"{path} is damaged: it is not text in UTF-8 ({error})") from error
    except OSError as error:
        raise Failure(f"cannot read {path}: {error.strerror or error}") from error


def _is_of(value: Any, wanted: "type | UnionType") -> bool:
    """Check a value's type."""
    if isinstance(value, bool):
        return wanted is bool or (isinstance(wanted, UnionType) and bool in wanted.__args__)
    if isinstance(value, int) and isinstance(0.0, wanted):
        return True
    return isinstance(value, wanted)


def _in_words(wanted: "type | UnionType") -> str:
    kinds = wanted.__args__ if isinstance(wanted, UnionType) else (wanted,)
    return " or ".join(_NAMES.get(kind, "null") for kind in kinds)
