"""``cache.json``: what a cache is made of, and whether a command may add to it."""

import json
import re
import shutil
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from snac_cache.parquet import table_sha256
from snac_cache.schema import REJECTS
from snac_cache.store import mapped
from snac_cache.store.identity import CacheIdentity
from snac_cache.store.parts import RECORD_KEY, PartRecord
from snac_cache.store.records import Agreement
from snac_model.artifacts import SPLITS
from snac_model.console import note
from snac_model.errors import Failure
from snac_model.files import TEMPORARY_SUFFIX, write_text

Description = dict[str, Any]

_PART_NAME = re.compile(r"((train|val)-)?part-\d{5,}\.parquet")
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
    """Delete the parts, the rejects and ``cache.json``; the last goes first, as it vouches.

    Only files that snac-cache makes are deleted, and folders that are empty then.

    Raises:
        Failure: if the folder holds no cache but other files where a cache has its own, such as
            speech; nothing is deleted then.
    """
    own, others = _contents(folder)
    if others and not (folder / "cache.json").is_file():
        raise Failure(
            f"{folder} holds no cache, but other files, such as {others[0]}: --overwrite deletes "
            "nothing there. Give another --codes folder."
        )
    (folder / "cache.json").unlink(missing_ok=True)
    for path in own:
        path.unlink(missing_ok=True)
    for path in (folder / split / mapped.FOLDER for split in SPLITS):
        shutil.rmtree(path, ignore_errors=True)  # copies of the parts, made by their readers
    for path in (folder / name for name in (*SPLITS, "rejects")):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    if own:
        note(f"deleted the {len(own)} files of the cache in {folder}")


def _contents(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the cache's own files in its folders, and all others there."""
    own: list[Path] = []
    others: list[Path] = []
    for name in (*SPLITS, "rejects"):
        for path in sorted((folder / name).glob("*")):
            if path.name != mapped.FOLDER:
                (own if _is_own(path) else others).append(path)
    return own, others


def _is_own(path: Path) -> bool:
    """Say whether snac-cache wrote a file: by its name, and by what it says of itself."""
    if path.name.endswith(TEMPORARY_SUFFIX):
        return _PART_NAME.match(path.name.lstrip(".")) is not None
    if not _PART_NAME.fullmatch(path.name) or not path.is_file():
        return False
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException):
        return (path.parent.parent / "cache.json").is_file()  # one of its parts, damaged
    return schema.equals(REJECTS) or RECORD_KEY.encode() in (schema.metadata or {})


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
