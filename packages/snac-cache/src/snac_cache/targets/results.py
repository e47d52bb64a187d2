"""What is known of a part's rows once their targets are made: one file, and its rejects beside."""

import json
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from snac_cache.parquet import read_table, write_table
from snac_cache.schema import REJECTS, SCHEMA_VERSION, SOURCE, TARGETS
from snac_cache.targets.request import TargetRequest
from snac_cache.work.plan import Part
from snac_common.copying import remove
from snac_common.full_disk import cannot_write
from snac_common.refresh import refresh
from snac_model.audio.header import AudioError

RECORD_KEY = b"snac.targets"
STAGE = "upsample"
NATIVE, MADE, GIVEN, REJECTED = "native", "made", "given", "rejected"
READING_THREADS = 16
VERSIONS = ("snac-cache", "torch", "torchaudio", "soundfile")


@dataclass(frozen=True)
class RowResult:
    """What became of a row.

    Attributes:
        kind: ``native`` if it is its own target, ``made``, ``given`` if its target was there
            before and is used in place, or ``rejected``.
        target_path: of a target that was made, within the folder of targets; of one that was given,
            an absolute path.
        bandwidth_hz: of the source.
        kept: whether the target was there already.
        reject: why there is no target.
    """

    kind: str
    target_path: str | None = None
    bandwidth_hz: float | None = None
    target_lag_samples: int | None = None
    target_gain_db: float | None = None
    clipped_samples: int = 0
    kept: bool = False
    reject: AudioError | None = None


@dataclass(frozen=True)
class PartDone:
    """What one run did to a part: targets that it made, and those that were there already."""

    made: int
    kept: int

    @classmethod
    def of(cls, results: list[RowResult]) -> Self:
        """Count the targets among a part's results."""
        kept = [result.kept for result in results if result.kind == MADE]
        return cls(len(kept) - sum(kept), sum(kept))


@dataclass(frozen=True)
class TargetRecord:
    """What a part's results say of themselves.

    Attributes:
        source_sha256: of what decides the targets of its rows.
        engine: that made the targets of sources below 48 kHz.
        max_lag: samples at 48 kHz that were corrected.
        native: rows that are their own targets.
        made: rows with a target that was made, by whichever run.
        clipped: those of them that were cut at full scale.
        rejects: how many rows were rejected, by reason.
        versions: of the libraries; they are told, not compared.
        given: rows whose target was there before, and is used in place.
        of_files: where such targets were looked for, and what was made of them.
        shards: whether its targets are in a tar.
    """

    source_sha256: str
    engine: str
    max_lag: int
    schema_version: int
    native: int
    made: int
    clipped: int
    rejects: dict[str, int]
    versions: dict[str, str]
    given: int = 0
    of_files: list[str] = field(default_factory=list)
    shards: bool = False

    @classmethod
    def of(cls, part: Part, request: TargetRequest, results: list[RowResult]) -> Self:
        """Sum up what became of a part's rows."""
        kinds = Counter(result.kind for result in results)
        reasons = Counter(result.reject.reason for result in results if result.reject)
        return cls(
            source_sha256=part.sha256,
            engine=request.engine.name,
            max_lag=request.max_lag,
            schema_version=SCHEMA_VERSION,
            native=kinds[NATIVE],
            made=kinds[MADE],
            clipped=sum(result.clipped_samples > 0 for result in results),
            rejects=dict(sorted(reasons.items())),
            versions={name: version(name) for name in VERSIONS},
            given=kinds[GIVEN],
            of_files=request.engine.of_files(),
            shards=request.shards,
        )

    @classmethod
    def from_metadata(cls, metadata: dict[bytes, bytes]) -> Self:
        """Read a record; raises ValueError if there is none."""
        try:
            return cls(**json.loads(metadata[RECORD_KEY]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"it does not tell of targets: {error!r}") from error

    def is_of(self, request: TargetRequest) -> bool:
        """Say whether its results are those that the request asks for."""
        asked = (request.engine.name, request.max_lag, SCHEMA_VERSION, request.shards)
        was = (self.engine, self.max_lag, self.schema_version, self.shards)
        return was == asked and self.of_files == request.engine.of_files()


@dataclass(frozen=True)
class PartResults:
    """The results of a part, read from its files; ``rejects`` are by id."""

    record: TargetRecord
    rows: pa.Table
    rejects: pa.Table


def results_path(folder: Path, part: Part) -> Path:
    """Where a part's results go."""
    return folder / "parts" / part.split / part.name


def write_results(
    part: Part, request: TargetRequest, rows: list[dict[str, Any]], results: list[RowResult]
) -> TargetRecord:
    """Write rejects, then results: a part whose results are there is finished.

    Args:
        rows: of the plan, with their fingerprints.
        results: one a row, in their order.

    Raises:
        Failure: if the disk is full or cannot be written to; nothing torn is left.
    """
    record = TargetRecord.of(part, request, results)
    facts = [{name: row[name] for name in SOURCE} for row in rows]
    content = [fact | vars(result) for fact, result in zip(facts, results, strict=True)]
    table = pa.Table.from_pylist(content, schema=TARGETS)
    table = table.replace_schema_metadata({RECORD_KEY: json.dumps(asdict(record))})
    path = results_path(request.folder, part)
    try:
        _write_rejects(part.rejects_path(request.folder), part.split, rows, results)
        write_table(table, path)
    except OSError as error:
        raise cannot_write(path, error, "Finished targets are kept.") from error
    return record


def read_results(part: Part, request: TargetRequest) -> PartResults | None:
    """Read a part's results to their last byte; None unless they are whole, and as asked for.

    They may be of other rows than the part has now.
    """
    rejects = REJECTS.empty_table()
    try:
        rows = read_table(results_path(request.folder, part))
        record = TargetRecord.from_metadata(rows.schema.metadata or {})
        if record.rejects:
            rejects = read_table(part.rejects_path(request.folder)).cast(REJECTS)
        rows = rows.replace_schema_metadata(None).cast(TARGETS)
    except (OSError, ValueError, pa.ArrowException):
        return None
    if rejects.num_rows != sum(record.rejects.values()) or not record.is_of(request):
        return None
    return PartResults(record, rows, rejects)


def read_finished(part: Part, request: TargetRequest) -> PartResults | None:
    """Read a part's results; None unless it is finished, with the rows that it has now."""
    found = read_results(part, request)
    return found if found and found.record.source_sha256 == part.sha256 else None


def read_all_finished(
    parts: Iterable[Part], request: TargetRequest
) -> Iterable[PartResults | None]:
    """Read the results of many parts at once: over a network each is a few round trips.

    Those that other machines have put into an object store are fetched first, with their targets.
    """
    refresh(request.folder)
    with ThreadPoolExecutor(READING_THREADS) as pool:
        yield from pool.map(partial(read_finished, request=request), parts)


def _write_rejects(
    path: Path, split: str, rows: list[dict[str, Any]], results: list[RowResult]
) -> None:
    """Write the rejects of a part, or remove those of an earlier try that had some."""
    rejects = [
        {
            "utterance_id": row["utterance_id"],
            "split": split,
            "audio_path": row["audio_path"],
            "stage": STAGE,
            "reason": result.reject.reason,
            "detail": result.reject.detail,
        }
        for row, result in zip(rows, results, strict=True)
        if result.reject
    ]
    if rejects:
        write_table(pa.Table.from_pylist(rejects, schema=REJECTS), path)
    else:
        remove(path)
