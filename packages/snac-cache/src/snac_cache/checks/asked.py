"""What a cache was asked for: the first rows of a manifest, known by their hash."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from snac_cache.manifests.manifest import read_manifest
from snac_cache.parquet import table_sha256
from snac_model.artifacts import SPLITS
from snac_model.errors import Failure

ASKED = pa.schema(
    [
        ("split", pa.string()),
        ("rows", pa.int64()),
        ("rows_on_disk", pa.int64()),
        ("problem", pa.string()),
    ]
)
REQUESTED = pa.schema([("utterance_id", pa.string()), ("split", pa.string())])


@dataclass(frozen=True)
class Asked:
    """What ``cache.json`` says was asked for, and the ids of the splits that are on disk still.

    Attributes:
        splits: as in ``ASKED``; ``problem`` says why a split's ids are not known.
        requested: as in ``REQUESTED``.
    """

    splits: list[dict[str, Any]] = field(default_factory=list)
    requested: list[pa.Table] = field(default_factory=list)


def read_asked(manifest: Path, described: dict[str, dict[str, Any]]) -> Asked:
    """Compare a manifest with the one that was cached, ``described`` in ``cache.json``."""
    problem = None
    tables: dict[str, pa.Table] = {}
    try:
        tables = read_manifest(manifest)
    except Failure as failure:
        problem = str(failure)
    asked = Asked()
    for split in SPLITS:
        known = described.get(split, {})
        entry = {"split": split, "rows": known.get("rows"), "problem": problem}
        if not known:
            entry["problem"] = "cache.json does not say which manifest was cached"
        elif split in tables:
            entry["rows_on_disk"] = tables[split].num_rows
            rows = tables.pop(split).slice(0, known["rows"])
            if table_sha256(rows) != known["sha256"]:
                entry["problem"] = "not the manifest that was cached"
            else:
                asked.requested.append(rows.select(REQUESTED.names))
        asked.splits.append(entry)
    return asked
