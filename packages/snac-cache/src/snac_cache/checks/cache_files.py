"""What lies in a folder of cached codes, by the footers of its parts and its ``cache.json``."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from snac_cache import schema
from snac_cache.store.identity import KEY_PREFIX, CacheIdentity
from snac_model.artifacts import SPLITS
from snac_model.errors import Failure

READING_THREADS = 8
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
        *((name, pa.string()) for name in IDENTITY),
    ]
)
CACHE = pa.schema(
    [
        ("filename", pa.string()),
        ("problem", pa.string()),
        *((name, pa.string()) for name in IDENTITY),
        ("sample_rate", pa.int64()),
        ("hop_length", pa.int64()),
        ("attention_window", pa.int64()),
        ("token_agreement", pa.float64()),
    ]
)


@dataclass(frozen=True)
class CacheFiles:
    """A cache as its files describe it.

    Attributes:
        parts: one entry a part, as in ``PARTS``; identities as JSON text.
        identity: what the cache was made with.
        description: the content of ``cache.json``, empty if it cannot be read.
        problem: why it cannot be read.
    """

    codes: Path
    parts: list[dict[str, Any]]
    identity: CacheIdentity
    description: dict[str, Any]
    problem: str | None

    def sound_parts(self) -> list[dict[str, Any]]:
        """Return the parts that a query can read."""
        return [part for part in self.parts if not part["problem"] and not part["schema_problem"]]

    def cache_table(self) -> pa.Table:
        """Return one row: what ``cache.json`` says, or a part where it cannot be read."""
        geometry = self.identity.codec_geometry()
        row = {
            "filename": str(self.codes / "cache.json"),
            "problem": self.problem,
            **identity_texts(asdict(self.identity)),
            "sample_rate": geometry.sample_rate,
            "hop_length": geometry.hop_length,
            "attention_window": geometry.attention_window,
            "token_agreement": self.description.get("token_agreement"),
        }
        return pa.Table.from_pylist([row], CACHE)

    def levels_table(self) -> pa.Table:
        """Return one row a level: what its geometry implies, so that queries need no numbers."""
        geometry = self.identity.codec_geometry()
        return pa.table(
            {
                "level": pa.array(range(geometry.levels), pa.int32()),
                "stride": geometry.vq_strides,
                "tokens_per_coarse": geometry.tokens_per_coarse,
                "tokens_per_second": [geometry.frame_rate / s for s in geometry.vq_strides],
                "codebook_size": [self.identity.config["codebook_size"]] * geometry.levels,
                "padding_samples": [geometry.padded_samples(1)] * geometry.levels,
                "padding_tokens": geometry.encoded_tokens(1),
            }
        )


def read_cache_files(codes: Path) -> CacheFiles:
    """Read footers and description; raises Failure where there are no codes at all."""
    paths = [path for split in SPLITS for path in sorted((codes / split).glob("part-*.parquet"))]
    if not paths:
        raise Failure(f"no cached codes in {codes}. Run snac-cache, or give --codes DIR.")
    with ThreadPoolExecutor(READING_THREADS) as pool:
        footers = list(pool.map(_read_footer, range(len(paths)), paths))
    parts = [part for part, _ in footers]
    description, problem = _read_description(codes / "cache.json")
    identity = _first_identity([description, *parts])
    if identity is None:
        raise Failure(f"neither {codes}/cache.json nor any part says which codec made the codes")
    expected = schema.codes(identity.codec_geometry().levels)
    for part, columns in footers:
        if columns is not None:
            part["schema_problem"] = _schema_problem(columns, expected)
    return CacheFiles(codes, parts, identity, description, problem)


def _read_footer(number: int, path: Path) -> tuple[dict[str, Any], pa.Schema | None]:
    part: dict[str, Any] = dict.fromkeys(PARTS.names)
    part |= {"number": number, "filename": str(path), "folder": path.parent.name}
    part["bytes"] = path.stat().st_size
    try:
        with pq.ParquetFile(path) as file:
            part["rows"] = file.metadata.num_rows
            columns = file.schema_arrow
    except (OSError, ValueError, pa.ArrowException) as error:
        return {**part, "problem": str(error)}, None
    metadata = columns.metadata or {}
    for name in IDENTITY:
        value = metadata.get((KEY_PREFIX + name).encode())
        part[name] = value.decode() if value else None
    return part, columns


def _read_description(path: Path) -> tuple[dict[str, Any], str | None]:
    """Read ``cache.json``, its identity as the same JSON text that parts carry."""
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        return {**description, **identity_texts(description)}, None
    except FileNotFoundError:
        return {}, "there is no cache.json"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return {}, f"cannot be read: {error!r}"


def identity_texts(values: dict[str, Any]) -> dict[str, str]:
    """Return the fields of an identity as the JSON text that parts carry."""
    return {name: json.dumps(values[name], sort_keys=True) for name in IDENTITY}


def _first_identity(described: list[dict[str, Any]]) -> CacheIdentity | None:
    for values in described:
        if all(values.get(name) for name in IDENTITY):
            return CacheIdentity(**{name: json.loads(values[name]) for name in IDENTITY})
    return None


def _schema_problem(columns: pa.Schema, expected: pa.Schema) -> str | None:
    """Say which columns are missing or of another type; more columns are no problem."""
    problems = []
    for field in expected:
        if field.name not in columns.names:
            problems.append(f"no column {field.name}")
        elif columns.field(field.name).type != field.type:
            problems.append(f"{field.name} is {columns.field(field.name).type}, not {field.type}")
    return "; ".join(problems) or None
