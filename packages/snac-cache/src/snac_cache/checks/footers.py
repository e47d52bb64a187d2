"""What one part says of itself in its footer, as a row of the view ``parts``."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from snac_cache.store.identity import KEY_PREFIX, CacheIdentity
from snac_cache.store.parts import RECORD_KEY

IDENTITY = [field.name for field in fields(CacheIdentity)]
PARTS = pa.schema(
    [
        ("number", pa.int32()),
        ("filename", pa.string()),
        ("folder", pa.string()),
        ("rows", pa.int64()),
        ("bytes", pa.int64()),
        ("problem", pa.string()),
        ("schema_problem", pa.string()),
        ("source_sha256", pa.string()),
        ("tokens_compared", pa.int64()),
        ("tokens_equal", pa.int64()),
        ("device", pa.string()),
        *((name, pa.string()) for name in IDENTITY),
    ]
)


def read_footer(number: int, path: Path) -> tuple[dict[str, Any], pa.Schema | None]:
    """Return a part's row, as in ``PARTS``, and its columns; None if it cannot be read."""
    part: dict[str, Any] = dict.fromkeys(PARTS.names)
    part |= {"number": number, "filename": str(path), "folder": path.parent.name}
    try:
        part["bytes"] = path.stat().st_size
        with pq.ParquetFile(path) as file:
            part["rows"] = file.metadata.num_rows
            columns = file.schema_arrow
    except (OSError, ValueError, pa.ArrowException) as error:
        return {**part, "problem": str(error)}, None
    metadata = columns.metadata or {}
    for name in IDENTITY:
        value = metadata.get((KEY_PREFIX + name).encode())
        part[name] = value.decode(errors="replace") if value else None
    return {**part, **_record(metadata)}, columns


def schema_problem(columns: pa.Schema, expected: pa.Schema) -> str | None:
    """Say which columns are missing or of another type; more columns are no problem."""
    problems = []
    for field in expected:
        if field.name not in columns.names:
            problems.append(f"no column {field.name}")
        elif columns.field(field.name).type != field.type:
            problems.append(f"{field.name} is {columns.field(field.name).type}, not {field.type}")
    return "; ".join(problems) or None


def _record(metadata: dict[bytes, bytes]) -> dict[str, Any]:
    """Return what a part says of its making; nothing if that makes no sense."""
    try:
        record = json.loads(metadata[RECORD_KEY.encode()])
        device = record.get("device")
        return {
            "source_sha256": str(record["source_sha256"]),
            "tokens_compared": int(record["agreement"]["total"]),
            "tokens_equal": int(record["agreement"]["equal"]),
            "device": None if device is None else str(device),
        }
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError):
        return {}
