"""``cache.json``: what a cache is made of, and whether a command may add to it."""

import json
import shutil
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from snac_cache.encoder import Agreement
from snac_cache.identity import CacheIdentity
from snac_cache.manifest import table_sha256
from snac_cache.parts import PartRecord
from snac_model.artifacts import SPLITS
from snac_model.errors import Failure
from snac_model.files import write_text

Description = dict[str, Any]

_SAME_CODES = ("tokenizer_sha256", "config", "precision", "schema_version")
_SAME_PARTS = ("part_rows", "manifest")


def describe(
    manifest: dict[str, pa.Table], identity: CacheIdentity, part_rows: int | None
) -> Description:
    """Return what a cache must have in common with a command that carries it on."""
    rows = {
        split: {"rows": table.num_rows, "sha256": table_sha256(table)}
        for split, table in manifest.items()
    }
    described = {**asdict(identity), "part_rows": part_rows, "manifest": rows, "appended": False}
    plain: Description = json.loads(json.dumps(described))
    return plain


def read_description(folder: Path) -> Description | None:
    """Read ``cache.json``; None if there is none. Raises Failure if it is damaged."""
    path = folder / "cache.json"
    if not path.exists():
        return None
    try:
        described: Description = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Failure(f"{path} is damaged: {error}. Give --overwrite to start anew.") from error
    return described


def write_description(folder: Path, description: Description) -> None:
    """Write ``cache.json``, atomically."""
    write_text(folder / "cache.json", json.dumps(description, indent=2) + "\n")


def check_same(folder: Path, existing: Description, asked: Description, *, append: bool) -> None:
    """Raise Failure, saying what differs, unless the command may add to the cache that is there."""
    names = _SAME_CODES if append else (*_SAME_CODES, *_SAME_PARTS)
    different = [name for name in names if existing.get(name) != asked[name]]
    if different:
        shown = "; ".join(f"{name}: {existing.get(name)}, now {asked[name]}" for name in different)
        raise Failure(
            f"{folder} holds another cache. It differs in {shown}. Give --overwrite to make it "
            "anew, --append to add what a longer manifest has, or another --codes folder."
        )


def delete_cache(folder: Path) -> None:
    """Delete the parts, the rejects and ``cache.json``; the last goes first, as it vouches."""
    (folder / "cache.json").unlink(missing_ok=True)
    for name in (*SPLITS, "rejects"):
        shutil.rmtree(folder / name, ignore_errors=True)


def totals(records: list[PartRecord]) -> Description:
    """Sum up the parts of a finished cache."""
    rejects: Counter[str] = Counter()
    agreement = Agreement()
    for record in records:
        rejects.update(record.rejects)
        agreement += record.agreement
    rows = sum(record.rows for record in records)
    return {
        "rows": rows,
        "rejects": dict(sorted(rejects.items())),
        "token_agreement": agreement.share,
    }


def all_records(folder: Path) -> list[PartRecord]:
    """Read the record of every part that is there."""
    files = sorted(path for split in SPLITS for path in (folder / split).glob("part-*.parquet"))
    return [PartRecord.read(path)[0] for path in files]
