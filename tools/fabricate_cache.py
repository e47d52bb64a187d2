"""Fabricate a cache of any size, to measure what the size costs: no audio, random codes.

    uv run python tools/fabricate_cache.py -o /tmp/large

Ids, paths, durations, token counts, parts and their metadata are as snac-cache would write them;
the same options give the same rows. At full size it is about 5 GB.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from snac_cache.manifests.read import read_manifest
from snac_cache.manifests.write import write_manifest
from snac_cache.parquet import table_sha256, write_table
from snac_cache.schema import MANIFEST, REJECTS
from snac_cache.schema import codes as codes_schema
from snac_cache.store.description import all_records, describe, totals, write_description
from snac_cache.store.identity import CacheIdentity
from snac_cache.store.parts import PartRecord, codes_path
from snac_cache.work.plan import LARGEST_PART, Part, plan_parts
from snac_model import load
from snac_model.artifacts import SPLITS, Artifacts
from snac_model.console import Tool, print_summary, track
from snac_model.devices import available_cores
from snac_model.geometry import Geometry

MODEL = "builtin:speech-small"
SOURCE_RATES = (24_000, 44_100, 48_000)
MEDIAN_SECONDS, SPREAD = 4.7, 0.5  # of a log-normal distribution, whose mean is then 5.3 s
SHORTEST_SECONDS, LONGEST_SECONDS = 1.0, 30.0
UTTERANCES_PER_SPEAKER = 400


@click.command(cls=Tool, example="fabricate_cache.py -o /tmp/large --train 344711 --val 5542")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="DIR")
@click.option("--train", default=3_447_109, help="Utterances in train.")
@click.option("--val", default=55_419, help="Utterances in val.")
@click.option("--part-rows", default=LARGEST_PART, help="Utterances in a part.")
@click.option("--seed", default=0, help="Decides durations and codes.")
def main(*, output: Path, train: int, val: int, part_rows: int, seed: int) -> None:
    """Write manifests and codes below DIR, an artifact root."""
    places = Artifacts.at(output)
    rows = {
        split: manifest_rows(split, count, np.random.default_rng([seed, number]))
        for number, (split, count) in enumerate(zip(SPLITS, (train, val), strict=True))
    }
    write_manifest(rows, REJECTS.empty_table(), places.manifests)
    manifest = read_manifest(places.manifests)
    identity = CacheIdentity.of(load(MODEL), MODEL, "fp32")
    parts = plan_parts(manifest, part_rows)
    write = partial(write_codes, places.codes, manifest, identity, seed)
    tokens = sum(track(in_parallel(write, parts), len(parts), "fabricate", "parts"))
    description = describe(manifest, identity, part_rows)
    write_description(places.codes, {**description, **totals(all_records(places.codes))})
    print_summary(train=train, val=val, parts=len(parts), tokens=tokens)


def manifest_rows(split: str, count: int, random: np.random.Generator) -> pa.Table:
    """Return made-up rows of one split."""
    seconds = random.lognormal(np.log(MEDIAN_SECONDS), SPREAD, count)
    seconds = seconds.clip(SHORTEST_SECONDS, LONGEST_SECONDS)
    numbers = np.arange(count)
    rates = random.choice(SOURCE_RATES, count)
    frames = (seconds * rates).astype(np.int64)
    speakers = padded(numbers // UTTERANCES_PER_SPEAKER, 5)
    ids = pc.binary_join_element_wise(f"{split}/speaker", speakers, "/", padded(numbers, 8), "")
    columns = {
        "utterance_id": ids,
        "split": pa.repeat(split, count),
        "audio_path": pc.binary_join_element_wise("/data/speech/", ids, ".flac", ""),
        "source_sample_rate": pa.array(rates, pa.int32()),
        "channels": pa.repeat(pa.scalar(1, pa.int32()), count),
        "num_frames": frames,
        "duration_s": frames / rates,
    }
    unknown = {
        field.name: pa.nulls(count, field.type) for field in MANIFEST if field.name not in columns
    }
    return pa.table({**columns, **unknown}, schema=MANIFEST)


def padded(numbers: np.ndarray, digits: int) -> pa.Array:
    """Return numbers as text of equal length."""
    return pc.utf8_lpad(pa.array(numbers).cast(pa.string()), digits, "0")


def in_parallel(work: Callable[[Part], int], parts: list[Part]) -> Any:
    """Do the work on all cores: random numbers and compression run without Python's lock."""
    with ThreadPoolExecutor(available_cores()) as pool:
        yield from pool.map(work, parts)


def write_codes(
    folder: Path, manifest: dict[str, pa.Table], identity: CacheIdentity, seed: int, part: Part
) -> int:
    """Write one part with random codes and return the number of its tokens."""
    rows = manifest[part.split].slice(part.start, part.stop - part.start)
    geometry = identity.codec_geometry()
    samples = num_samples(rows, geometry)
    counts = np.array([geometry.encoded_tokens(length) for length in samples])
    random = np.random.default_rng([seed, SPLITS.index(part.split), part.number])
    size = identity.config["codebook_size"]
    lists = [random_lists(random, size, counts[:, level]) for level in range(geometry.levels)]
    schema = codes_schema(geometry.levels)
    table = pa.Table.from_arrays([*rows.columns, pa.array(samples), *lists], schema=schema)
    record = PartRecord(table_sha256(rows), rows.num_rows)
    metadata = {**identity.to_metadata(), **record.to_metadata()}
    write_table(table.replace_schema_metadata(metadata), codes_path(folder, part))
    return int(counts.sum())


def num_samples(rows: pa.Table, geometry: Geometry) -> list[int]:
    """Return the lengths of utterances at the codec's rate."""
    rates = rows.column("source_sample_rate").to_pylist()
    frames = rows.column("num_frames").to_pylist()
    return [geometry.samples_from(*pair) for pair in zip(rates, frames, strict=True)]


def random_lists(random: np.random.Generator, codebook_size: int, counts: np.ndarray) -> pa.Array:
    """Return one list of random codes for each count."""
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    codes = random.integers(0, codebook_size, offsets[-1], np.uint16)
    return pa.ListArray.from_arrays(offsets, codes)


if __name__ == "__main__":
    main()
