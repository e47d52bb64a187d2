"""From text and TOML tables to typed settings, with errors that say what would have been right."""

import difflib
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from snac_common.errors import BadInput

Settings = TypeVar("Settings")

_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


@dataclass(frozen=True)
class Between:
    """The smallest and the largest value that a number may have, for ``Annotated``."""

    low: float
    high: float = math.inf

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"at least {self.low:g}"
        return f"from {self.low:g} to {self.high:g}"


def fields_of(kind: type) -> Mapping[str, Any]:
    """Return every field of a dataclass of dataclasses, ``table.field``, with its type."""
    kinds = {}
    for table, table_kind in get_type_hints(kind).items():
        hints = get_type_hints(table_kind, include_extras=True)
        kinds.update({f"{table}.{field.name}": hints[field.name] for field in fields(table_kind)})
    return MappingProxyType(kinds)


def parse_value(text: str, kind: Any) -> Any:
    """Read a value as TOML has it; text may do without quotes and a list without brackets."""
    plain, _ = _split_kind(kind)
    if get_origin(plain) is tuple and not text.startswith("["):
        return [parse_value(part.strip(), get_args(plain)[0]) for part in text.split(",")]
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    wants_text = plain is str or get_origin(plain) is Literal
    return text if wants_text and not isinstance(value, str) else value


def override(tables: dict[str, dict[str, Any]], name: str, text: str, kind: type) -> None:
    """Set the field ``table.field`` of ``tables`` to what ``text`` says.

    Raises:
        BadInput: if ``kind`` has no such field; names the nearest.
    """
    known = fields_of(kind)
    if name not in known:
        raise BadInput(unknown("the recipe", "field", name, known))
    table, field = name.split(".")
    tables[table][field] = parse_value(text, known[name])


def build(kind: type[Settings], tables: Mapping[str, Any]) -> Settings:
    """Build a dataclass of dataclasses from TOML tables.

    Raises:
        BadInput: for a table or field that is unknown, missing, or of another type.
    """
    known = fields_of(kind)
    table_kinds = get_type_hints(kind)
    for table, values in tables.items():
        if table not in table_kinds:
            raise BadInput(unknown("the recipe", "table", table, table_kinds))
        if not isinstance(values, Mapping):
            raise BadInput(f"{table} must be a table of settings, not {values!r}")
        for field in values:
            if f"{table}.{field}" not in known:
                raise BadInput(unknown("the recipe", "field", f"{table}.{field}", known))
    built = {name: _table(table_kinds[name], name, tables, known) for name in table_kinds}
    return kind(**built)


def _table(kind: Any, table: str, tables: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    values = {}
    for field in fields(kind):
        name = f"{table}.{field.name}"
        if field.name not in tables.get(table, {}):
            raise BadInput(f"the recipe lacks {name}: {_describe(known[name])}")
        values[field.name] = _convert(tables[table][field.name], known[name], name)
    return kind(**values)


def _convert(value: Any, kind: Any, name: str) -> Any:
    plain, limits = _split_kind(kind)
    if get_origin(plain) is tuple and isinstance(value, list):
        return tuple(_convert(item, get_args(plain)[0], name) for item in value)
    if get_origin(plain) is Literal:
        if value not in get_args(plain):
            raise BadInput(f"{name} cannot be {value!r}: it must be {_describe(kind)}")
        return value
    if plain is float and type(value) is int:
        value = float(value)
    endless = isinstance(value, float) and not math.isfinite(value)
    outside = limits and type(value) is plain and not limits.low <= value <= limits.high
    if type(value) is not plain or endless or outside:
        raise BadInput(f"{name} cannot be {value!r}: it must be {_describe(kind)}")
    return value


def _split_kind(kind: Any) -> tuple[Any, Between | None]:
    """Return a type without its annotation, and the limits that the annotation sets."""
    if get_origin(kind) is not Annotated:
        return kind, None
    plain, limits = get_args(kind)
    return plain, limits


def _describe(kind: Any) -> str:
    plain, limits = _split_kind(kind)
    if get_origin(plain) is tuple:
        return f"a list, each item {_describe(get_args(plain)[0])}"
    if get_origin(plain) is Literal:
        return "one of " + ", ".join(get_args(plain))
    return f"{_WORDS[plain]}, {limits}" if limits else _WORDS[plain]


def unknown(owner: str, what: str, name: str, known: Iterable[str]) -> str:
    """Say that there is no such thing, and which is the nearest."""
    nearest = difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)[0]
    return f"{owner} has no {what} {name!r}; the nearest is {nearest!r}"
