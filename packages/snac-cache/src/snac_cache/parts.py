"""Writing one finished part: its codes, and the rejects beside them."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from snac_cache import schema
from snac_cache.encoder import Agreement, Encoded
from snac_cache.identity import KEY_PREFIX, CacheIdentity
from snac_cache.manifest import write_table
from snac_cache.plan import Part
from snac_model.audio_header import AudioError

AGREEMENT_KEY = KEY_PREFIX + "agreement"


def codes_path(folder: Path, part: Part) -> Path:
    """Where a part's codes go."""
    return folder / part.split / part.name


def rejects_path(folder: Path, part: Part) -> Path:
    """Where a part's rejects go: a place of their own, so that a glob finds codes alone."""
    return folder / "rejects" / f"{part.split}-{part.name}"


def write_part(
    folder: Path,
    part: Part,
    *,
    rows: list[dict[str, Any]],
    results: dict[int, Encoded | AudioError],
    identity: CacheIdentity,
    agreement: Agreement,
) -> tuple[int, list[str]]:
    """Write rejects, then codes: a part whose codes are there is finished.

    Returns:
        The number of cached rows, and the reason of each reject.
    """
    rejected = [
        _reject_row(rows[position], error)
        for position, error in sorted(results.items())
        if isinstance(error, AudioError)
    ]
    if rejected:
        table = pa.Table.from_pylist(rejected, schema=schema.REJECTS)
        write_table(table, rejects_path(folder, part))
    cached = {
        position: encoded
        for position, encoded in sorted(results.items())
        if isinstance(encoded, Encoded)
    }
    table = _codes_table(rows, cached, len(identity.config["vq_strides"]))
    metadata = {
        **identity.to_metadata(),
        AGREEMENT_KEY: json.dumps([agreement.equal, agreement.total]),
    }
    write_table(table.replace_schema_metadata(metadata), codes_path(folder, part))
    return len(cached), [row["reason"] for row in rejected]


def _codes_table(rows: list[dict[str, Any]], cached: dict[int, Encoded], levels: int) -> pa.Table:
    """Build the rows of a part in the manifest's order."""
    manifest = pa.Table.from_pylist([rows[position] for position in cached], schema.MANIFEST)
    lengths = pa.array([encoded.num_samples for encoded in cached.values()], pa.int64())
    lists = [
        pa.array([encoded.codes[level] for encoded in cached.values()], pa.list_(pa.uint16()))
        for level in range(levels)
    ]
    return pa.Table.from_arrays([*manifest.columns, lengths, *lists], schema=schema.codes(levels))


def read_finished(path: Path) -> tuple[CacheIdentity, int, Agreement]:
    """Read what a finished part says of itself: identity, rows, agreement."""
    file = pq.ParquetFile(path)
    metadata = file.schema_arrow.metadata or {}
    equal, total = json.loads(metadata[AGREEMENT_KEY.encode()])
    return CacheIdentity.from_metadata(metadata), file.metadata.num_rows, Agreement(equal, total)


def _reject_row(row: dict[str, Any], error: AudioError) -> dict[str, Any]:
    place = {name: row[name] for name in ("utterance_id", "split", "audio_path")}
    return {**place, "stage": "encode", "reason": error.reason, "detail": error.detail}
