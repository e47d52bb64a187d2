"""Making a cache: plan the parts, encode what is not finished, and sum up."""

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from snac_cache.encoder import Agreement, Encoded, UtteranceEncoder
from snac_cache.identity import CacheIdentity
from snac_cache.manifest import table_sha256
from snac_cache.parts import codes_path, read_finished, write_part
from snac_cache.plan import Part, plan_parts
from snac_cache.workers import run_alone, run_workers
from snac_model.audio_header import AudioError
from snac_model.devices import prepare_cpu_worker
from snac_model.errors import Failure
from snac_model.files import write_text
from snac_model.weights import load

PRECISION = "fp32"


@dataclass(frozen=True)
class CacheRequest:
    """What the command was asked for."""

    folder: Path
    model: str
    device: str
    workers: int
    part_rows: int | None
    overwrite: bool


@dataclass(frozen=True)
class PartDone:
    """What a worker says of a part it wrote."""

    rows: int
    reasons: list[str]
    agreement: Agreement


@dataclass
class CacheReport:
    """What a whole command did."""

    rows: int = 0
    skipped_rows: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    agreement: Agreement = field(default_factory=Agreement)
    audio_seconds: float = 0.0
    wall_seconds: float = 0.0

    @property
    def reject_rate(self) -> float:
        """Share of this command's utterances that were rejected."""
        rejected = self.rejects.total()
        return rejected / (self.rows + rejected) if rejected else 0.0


def build_cache(
    manifest: dict[str, pa.Table], request: CacheRequest, advance: Callable[[int], object]
) -> CacheReport:
    """Encode a manifest into ``request.folder``; parts that are finished are left alone.

    Args:
        manifest: rows by split, in the order that decides the parts.
        advance: told of utterances as they are done.

    Raises:
        Failure: if the folder holds a cache of another model or manifest, or a worker fails.
    """
    started = time.monotonic()
    identity = CacheIdentity.of(load(request.model), request.model, PRECISION)
    parts = plan_parts(manifest, request.part_rows)
    description = _describe(manifest, identity, request.part_rows)
    _prepare_folder(request, description)
    report = CacheReport()
    todo = [
        (part, manifest[part.split].slice(part.start, part.stop - part.start))
        for part in parts
        if not _is_finished(request.folder, part, report, advance)
    ]

    def receive(message: int | PartDone) -> None:
        if isinstance(message, int):
            advance(message)
        else:
            report.rows += message.rows
            report.rejects.update(message.reasons)
            report.agreement += message.agreement

    workers = min(request.workers, len(todo))
    task = partial(_encode_parts, request=request, identity=identity)
    if workers > 1:
        run_workers(task, todo, receive, workers)
    elif todo:
        run_alone(task, todo, receive)
    report.audio_seconds = sum(_seconds(rows) for _, rows in todo)
    report.wall_seconds = time.monotonic() - started
    totals = {"rows": report.rows + report.skipped_rows, "token_agreement": report.agreement.share}
    _write_description(request.folder, {**description, **totals})
    return report


def _encode_parts(
    number: int,
    items: Iterator[tuple[Part, pa.Table]],
    send: Callable[[Any], None],
    *,
    request: CacheRequest,
    identity: CacheIdentity,
) -> None:
    """Run in each worker: load the model once, then encode part after part."""
    device = torch.device(request.device)
    if device.type == "cpu":
        prepare_cpu_worker()
    else:
        # float32 means float32: cuDNN would otherwise round the convolutions' inputs to TF32
        torch.backends.cudnn.allow_tf32 = False
    encoder = UtteranceEncoder(load(request.model), device)
    for part, table in items:
        rows = table.to_pylist()
        results: dict[int, Encoded | AudioError] = {}
        for position, result in encoder.encode(rows):
            results[position] = result
            send(1)
        agreement = _compare(encoder, rows, results)
        cached, reasons = write_part(
            request.folder,
            part,
            rows=rows,
            results=results,
            identity=identity,
            agreement=agreement,
        )
        send(PartDone(cached, reasons, agreement))


def _compare(
    encoder: UtteranceEncoder, rows: list[dict[str, Any]], results: dict[int, Encoded | AudioError]
) -> Agreement:
    """On a GPU, compare a sample with encoding alone; on a CPU that is what was done."""
    if encoder.device.type == "cpu":
        return Agreement()
    encoded = {key: value for key, value in results.items() if isinstance(value, Encoded)}
    return encoder.compare_alone(rows, encoded)


def _is_finished(
    folder: Path, part: Part, report: CacheReport, advance: Callable[[int], object]
) -> bool:
    """Count and skip a part that an earlier command finished."""
    path = codes_path(folder, part)
    if not path.exists():
        return False
    _, rows, agreement = read_finished(path)
    report.skipped_rows += rows
    report.agreement += agreement
    advance(part.stop - part.start)
    return True


def _describe(
    manifest: dict[str, pa.Table], identity: CacheIdentity, part_rows: int | None
) -> dict[str, Any]:
    """Return what a cache must have in common with the command that carries it on."""
    return {
        **asdict(identity),
        "part_rows": part_rows,
        "manifest": {
            split: {"rows": table.num_rows, "sha256": table_sha256(table)}
            for split, table in manifest.items()
        },
    }


def _prepare_folder(request: CacheRequest, description: dict[str, Any]) -> None:
    """Start a cache, or make sure that the one that is there is this one."""
    path = request.folder / "cache.json"
    if request.overwrite:
        for name in ("train", "val", "rejects"):
            shutil.rmtree(request.folder / name, ignore_errors=True)
        path.unlink(missing_ok=True)
    if path.exists():
        existing = json.loads(path.read_text(encoding="utf-8"))
        asked = json.loads(json.dumps(description))
        names = ("tokenizer_sha256", "config", "precision", "part_rows", "manifest")
        different = [name for name in names if existing.get(name) != asked[name]]
        if different:
            raise Failure(
                f"{request.folder} holds another cache: it differs in {', '.join(different)}. "
                "Give --overwrite to make it anew, or another --codes folder."
            )
    _write_description(request.folder, description)


def _write_description(folder: Path, description: dict[str, Any]) -> None:
    write_text(folder / "cache.json", json.dumps(description, indent=2) + "\n")


def _seconds(rows: pa.Table) -> float:
    return sum(rows.column("duration_s").to_pylist())
