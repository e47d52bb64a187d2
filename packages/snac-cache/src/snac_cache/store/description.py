"""``cache.json``: what a cache is made of, and whether a command may add to it."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from snac_cache.schema import SCHEMA_VERSION
from snac_cache.store.identity import CacheIdentity, of_codes
from snac_cache.store.parts import PartRecord
from snac_cache.store.records import Agreement
from snac_cache.work.plan import Part, part_files, part_number
from snac_common.artifacts import SPLITS
from snac_common.errors import Failure
from snac_common.files import write_text
from snac_common.full_disk import reason_of

Description = dict[str, Any]

NAME = "cache.json"
QUOTE = '"'
_SAME_CODES = ("tokenizer_sha256", "config", "precision", "schema_version")
START_ANEW = "Give --overwrite to start anew."


def read_description(folder: Path) -> Description | None:
    """Read ``cache.json``; None if there is none. Raises Failure if it is damaged."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Failure(f"{path} is damaged: {reason_of(error)}. {START_ANEW}") from error
    if not isinstance(described, dict) or not all(name in described for name in _SAME_CODES):
        raise Failure(f"{path} does not describe a cache. {START_ANEW}")
    if described["schema_version"] != SCHEMA_VERSION:
        raise Failure(
            f"{folder} holds a cache of schema version {described['schema_version']}, and this "
            f"program makes and reads version {SCHEMA_VERSION}. {START_ANEW}"
        )
    return described


def write_description(folder: Path, description: Description) -> None:
    """Write ``cache.json``, atomically."""
    write_text(folder / NAME, json.dumps(description, indent=2) + "\n")


def describe(identity: CacheIdentity, part_rows: int | None) -> Description:
    """Return what ``cache.json`` holds before anything is encoded."""
    described: Description = json.loads(json.dumps({**asdict(identity), "part_rows": part_rows}))
    return described


def check_same_codes(folder: Path, existing: Description, asked: Description) -> None:
    """Raise Failure, saying what differs, unless a command may add its codes to those there."""
    shown = "; ".join(
        difference
        for name in _SAME_CODES
        for difference in _differences(name, of_codes(existing[name]), of_codes(asked[name]))
    )
    if shown:
        raise Failure(
            f"{folder} holds another cache. It differs in {shown}. Give --overwrite to make it "
            "anew, or another --codes folder."
        )


def _differences(name: str, before: Any, now: Any) -> Iterator[str]:
    """Yield what differs, each field of an object by itself."""
    if isinstance(before, dict) and isinstance(now, dict):
        for field in sorted(before.keys() | now.keys()):
            yield from _differences(f"{name}.{field}", before.get(field), now.get(field))
    elif before != now:
        yield f"{name}: {json.dumps(before).strip(QUOTE)}, now {json.dumps(now).strip(QUOTE)}"


def check_no_others(folder: Path, parts: Iterable[Part]) -> None:
    """Raise Failure if parts are there that the folder's plan does not have."""
    planned = {(part.split, part.number) for part in parts}
    for split in SPLITS:
        for path in part_files(folder / split):
            if (split, part_number(path.name)) not in planned:
                raise Failure(
                    f"{path} is no part of the cache that is to be made here, but perhaps of one "
                    f"whose deletion was interrupted. {START_ANEW}"
                )


def totals(records: Iterable[PartRecord]) -> Description:
    """Sum up the parts of a finished cache."""
    rejects: Counter[str] = Counter()
    agreement = Agreement()
    rows, seconds = 0, 0.0
    for record in records:
        rows += record.rows
        seconds += record.audio_seconds
        rejects.update(record.rejects)
        agreement += record.agreement
    return {
        "rows": rows,
        "hours": round(seconds / 3600, 3),
        "rejects": dict(sorted(rejects.items())),
        "token_agreement": agreement.share,
        "tokens_compared": agreement.total,
    }
