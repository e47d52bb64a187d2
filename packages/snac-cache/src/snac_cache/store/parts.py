"""One finished part: its codes, the rejects beside them, and what it says of itself."""

import json
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from snac_cache import schema
from snac_cache.parquet import read_table, write_table
from snac_cache.store.identity import KEY_PREFIX, CacheIdentity
from snac_cache.store.records import Agreement, Encoded
from snac_cache.work.plan import Part
from snac_common.copying import remove
from snac_common.full_disk import cannot_write
from snac_common.refresh import refresh
from snac_model.audio.header import AudioError

RECORD_KEY = KEY_PREFIX + "part"
READING_THREADS = 16


@dataclass(frozen=True)
class PartRecord:
    """What a part carries about itself.

    Attributes:
        source_sha256: of what decides the codes of its rows.
        rows: cached.
        audio_seconds: of those rows.
        rejects: how many rows were rejected, by reason.
        agreement: equal and all tokens of those that were encoded again one at a time.
    """

    source_sha256: str
    rows: int
    audio_seconds: float
    rejects: dict[str, int] = field(default_factory=dict)
    agreement: Agreement = field(default_factory=Agreement)

    def to_metadata(self) -> dict[str, str]:
        """Return parquet key-value metadata."""
        return {RECORD_KEY: json.dumps(asdict(self))}

    @classmethod
    def read(cls, path: Path) -> tuple[Self, CacheIdentity]:
        """Read a part's footer.

        Raises:
            OSError, ValueError, pa.ArrowException: if the file is torn, or is no part.
        """
        metadata = pq.read_metadata(path).metadata or {}
        try:
            values = json.loads(metadata[RECORD_KEY.encode()])
            agreement = Agreement(**values.pop("agreement"))
            return cls(**values, agreement=agreement), CacheIdentity.from_metadata(metadata)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it is no part of a code cache: {error!r}") from error


def codes_path(folder: Path, part: Part) -> Path:
    """Where a part's codes go."""
    return folder / part.split / part.name


def write_part(
    folder: Path,
    part: Part,
    *,
    rows: list[dict[str, Any]],
    results: dict[int, Encoded | AudioError],
    identity: CacheIdentity,
    agreement: Agreement,
) -> PartRecord:
    """Write rejects, then codes: a part whose codes are there is finished.

    Args:
        rows: of the plan, with their fingerprints.
        results: by position in ``rows``.

    Raises:
        Failure: if the disk is full or cannot be written to; nothing torn is left.
    """
    cached = {key: value for key, value in sorted(results.items()) if isinstance(value, Encoded)}
    errors = {key: value for key, value in sorted(results.items()) if isinstance(value, AudioError)}
    reasons = Counter(error.reason for error in errors.values())
    record = PartRecord(
        part.sha256,
        len(cached),
        sum(rows[key]["duration_s"] for key in cached),
        dict(sorted(reasons.items())),
        agreement,
    )
    table = codes_table(rows, cached, len(identity.config["vq_strides"]))
    metadata = {**identity.to_metadata(), **record.to_metadata()}
    try:
        _write_rejects(
            [reject_row(rows[key], error) for key, error in errors.items()],
            part.rejects_path(folder),
        )
        write_table(table.replace_schema_metadata(metadata), codes_path(folder, part))
    except OSError as error:
        raise cannot_write(codes_path(folder, part), error, "Finished parts are kept.") from error
    return record


def finished(
    folder: Path, part: Part, identity: CacheIdentity, *, whole: bool = False
) -> PartRecord | None:
    """Return a part's record if it is there and of these rows and this codec, else None.

    Its footer is read, which the end of a torn file lacks; ``whole`` reads the rest too, with the
    checksum of every page.

    Raises:
        MemoryError: if there is too little memory, which says nothing about the part.
    """
    path = codes_path(folder, part)
    try:
        record, made_with = PartRecord.read(path)
        if whole:
            read_table(path)
    except MemoryError:  # Arrow's is an ArrowException too
        raise
    except (OSError, ValueError, pa.ArrowException):
        return None
    if record.source_sha256 != part.sha256 or identity.differences(made_with):
        return None
    if record.rejects and not part.rejects_path(folder).is_file():
        return None
    return record


def finished_parts(
    folder: Path, parts: Iterable[Part], identity: CacheIdentity, *, whole: bool = False
) -> list[PartRecord | None]:
    """Ask ``finished`` of many parts at once: over a network each footer is a few round trips.

    Those that other machines have put into an object store are fetched first.
    """
    refresh(folder)
    with ThreadPoolExecutor(READING_THREADS) as pool:
        return list(pool.map(lambda part: finished(folder, part, identity, whole=whole), parts))


def codes_table(rows: list[dict[str, Any]], cached: dict[int, Encoded], levels: int) -> pa.Table:
    """Return rows of cached codes, of those manifest rows that were encoded, in their order."""
    facts = [
        {**rows[position], "num_samples": encoded.num_samples}
        for position, encoded in cached.items()
    ]
    lists = [
        pa.array([encoded.codes[level] for encoded in cached.values()], pa.list_(pa.uint16()))
        for level in range(levels)
    ]
    columns = pa.Table.from_pylist(facts, schema.FACTS).columns
    return pa.Table.from_arrays([*columns, *lists], schema=schema.codes(levels))


def _write_rejects(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the rejects of a part, or remove those of an earlier try that had some."""
    if rows:
        write_table(pa.Table.from_pylist(rows, schema=schema.REJECTS), path)
    else:
        remove(path)


def reject_row(row: dict[str, Any], error: AudioError) -> dict[str, Any]:
    """Return the rejects row of a manifest row that could not be encoded."""
    place = {name: row[name] for name in ("utterance_id", "split", "audio_path")}
    return {**place, "stage": "encode", "reason": error.reason, "detail": error.detail}
