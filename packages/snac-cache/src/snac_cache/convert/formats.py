"""Codes as lines of text: JSON, columns, or the tokens of a language model."""

import json
from typing import Any

from snac_cache.schema import code_column
from snac_common.errors import Failure
from snac_model.tokens.layout import TokenLayout

TOKENS = "tokens"  # of a JSON object with those of a language model

# A line of text: id, frames and rate of the audio, and a column of tokens for each level.
_COLUMNS = ("utterance_id", "num_frames", "source_sample_rate")


def to_json(row: dict[str, Any]) -> str:
    """Return a row of cached codes as one object."""
    return json.dumps(row, ensure_ascii=False)


def to_json_with_tokens(row: dict[str, Any], layout: TokenLayout) -> str:
    """Return a row as one object that has a language model's tokens in place of the codes."""
    names = [code_column(level) for level in range(layout.levels)]
    said = {name: value for name, value in row.items() if name not in names}
    return json.dumps(
        {**said, TOKENS: layout.text([row[name] for name in names])}, ensure_ascii=False
    )


def to_text(row: dict[str, Any], levels: int) -> str:
    """Return a row as columns between tabs; raises Failure for an id that would break them."""
    fields = [str(row[name]) for name in _COLUMNS]
    if any(mark in fields[0] for mark in "\t\r\n"):
        raise Failure(f"the id {fields[0]!r} cannot be in a line of text: use --format jsonl")
    tokens = [" ".join(map(str, row[code_column(level)])) for level in range(levels)]
    return "\t".join([*fields, *tokens])


def parse_line(line: str) -> dict[str, Any]:
    """Read what ``to_json`` or ``to_text`` wrote; raises ValueError or RecursionError."""
    if _is_json(line.strip()):
        row: dict[str, Any] = json.loads(line)
        return row
    fields = line.rstrip("\r\n").split("\t")
    if len(fields) <= len(_COLUMNS):
        raise ValueError("neither a JSON object nor an id, frames, rate and codes between tabs")
    row = dict(zip(_COLUMNS, fields, strict=False))
    for level, tokens in enumerate(fields[len(_COLUMNS) :]):
        row[code_column(level)] = [int(token) for token in tokens.split(" ")]
    return row


def _is_json(line: str) -> bool:
    """Whether a line is an object, or part of one; an id may begin with a brace too.

    A line of text ends with a number. An object has tabs only between its values, if at all.
    """
    return line.startswith("{") and (line.endswith("}") or "\t" not in line)
