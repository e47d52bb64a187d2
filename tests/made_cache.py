"""A small clean cache, written by the real writer, and ways to rewrite its parts."""

import zlib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from runs import scaled, write_run

from snac_cache.manifests.write import write_manifest
from snac_cache.schema import MANIFEST, REJECTS, SOURCE
from snac_cache.store.description import describe, totals, write_description
from snac_cache.store.identity import CacheIdentity
from snac_cache.store.parts import write_part
from snac_cache.store.records import Agreement, Encoded
from snac_cache.work.plan import part_sizes
from snac_cache.work.plan_file import FOLDER, Plan, write_plan
from snac_model.audio.header import AudioError
from snac_model.shapes.config import SNAC_24KHZ
from snac_model.shapes.geometry import Geometry

CONFIG = replace(SNAC_24KHZ, codebook_size=16)
GEOMETRY = Geometry.of(CONFIG)
IDENTITY = CacheIdentity(
    model="made up",
    weights_sha256="1" * 64,
    tokenizer_sha256="2" * 64,
    config=CONFIG.to_dict(),
    geometry=asdict(GEOMETRY),
    precision="fp32",
    versions={"torch": "2.11.0"},
)
REJECTED = "train/0003"
PART_ROWS = 16
AGREEMENT = Agreement(1000, 1000)


def write_cache(root: Path, rows: int = 60) -> None:
    """Write manifests, targets, codes and rejects below an artifact root."""
    targets = root / "audio48k"
    targets.mkdir(parents=True)
    manifest = {
        split: _manifest(targets, split, n) for split, n in {"train": rows, "val": 6}.items()
    }
    write_manifest(manifest, REJECTS.empty_table(), root / "manifests")
    planned = {
        split: (table, part_sizes(table.num_rows, PART_ROWS)) for split, table in manifest.items()
    }
    plan = write_plan(root / "codes" / FOLDER, planned, SOURCE)
    write_codes(root / "codes", plan)


def write_codes(codes: Path, plan: Plan, identity: CacheIdentity = IDENTITY) -> None:
    """Write the parts of a plan, and ``cache.json``."""
    records = []
    for part in plan.parts:
        utterances = plan.rows(part).to_pylist()
        results = {position: _encoded(row) for position, row in enumerate(utterances)}
        record = write_part(
            codes, part, rows=utterances, results=results, identity=identity, agreement=AGREEMENT
        )
        records.append(record)
    write_description(codes, {**describe(identity, PART_ROWS), **totals(records)})


def write_results(root: Path) -> None:
    """Write what evaluations and runs would leave beside the cache: the columns that SQL sees."""
    for number, name in enumerate(("one", "other")):
        rows = [
            {"utterance_id": f"{split}/{utterance:04}", "model": name, "rate": 48_000}
            | {
                "metric": "loss",
                "value": value,
                "reason": None if value else "made up",
                "detail": None,
            }
            for split, count in (("train", 60), ("val", 6))
            for utterance in range(count)
            for value in [None if utterance == 5 else 2.0 + number + utterance / 7]
        ]
        folder = root / "eval" / name
        folder.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows), folder / "metrics.parquet")
        write_run(root, name, scaled(1 + number))


def rewrite_part(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Write a part anew, its metadata kept unless ``change`` replaces it."""
    table = pq.read_table(path)
    changed = change(table)
    pq.write_table(changed, path, compression="zstd")


def with_values(table: pa.Table, column: str, values: list[Any]) -> pa.Table:
    """Return a table with another content of one column."""
    field = table.schema.field(column)
    position = table.schema.get_field_index(column)
    return table.set_column(position, field, pa.array(values, field.type))


def _manifest(targets: Path, split: str, rows: int) -> pa.Table:
    """Return rows with the manifest's columns, and three of the user's own."""
    content = []
    for number in range(rows):
        name = f"{split}/{number:04}"
        target = targets / f"{split}-{number:04}.flac"
        target.touch()
        frames = 100_000 + 3_001 * number
        row: dict[str, Any] = {"utterance_id": name, "split": split, "audio_path": str(target)}
        row |= {"source_sample_rate": 44_100, "channels": 1, "num_frames": frames}
        row |= {"duration_s": frames / 44_100, "audio_fingerprint": f"flac:{frames:032x}"}
        row |= {"target_path": str(target), "text": f"sentence {number}"}
        content.append(
            {
                **row,
                "speaker": f"{split[0].replace('t', 's')}{number % 5}",
                "language": ("de", "hi")[number % 2],
            }
        )
    own = [pa.field(name, pa.string()) for name in ("text", "speaker", "language")]
    return pa.Table.from_pylist(content, schema=pa.schema([*MANIFEST, *own]))


def _encoded(row: dict[str, Any]) -> Encoded | AudioError:
    if row["utterance_id"] == REJECTED:
        return AudioError("non_finite", "made up")
    samples = GEOMETRY.samples_from(row["source_sample_rate"], row["num_frames"])
    random = np.random.default_rng(zlib.crc32(row["utterance_id"].encode()))
    tokens = GEOMETRY.encoded_tokens(samples)
    return Encoded(samples, [random.integers(0, 16, count).astype(np.uint16) for count in tokens])
