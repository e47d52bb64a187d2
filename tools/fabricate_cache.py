"""Fabricate manifests and a cache of any size, to measure what the size costs.

    uv run python tools/fabricate_cache.py -o /tmp/large
    uv run python tools/fabricate_cache.py -o /tmp/large --manifest-only --audio a.flac

Ids, paths, durations, texts, token counts, plan, parts and their metadata are as snac-cache would
write them; codes are random, and the same options give the same rows. Without ``--audio`` no row
has a file. With it the rows share a few real files, so that real commands can work on them. At full
size it is about 4 GB.
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

from snac_cache.fingerprint import audio_fingerprint
from snac_cache.manifests.read import Manifest
from snac_cache.manifests.shards import SHARD_ROWS, write_shards, write_split
from snac_cache.manifests.write import write_manifest
from snac_cache.parquet import write_table
from snac_cache.schema import FACTS, MANIFEST, REJECTS, SOURCE
from snac_cache.schema import codes as codes_schema
from snac_cache.store.description import describe, totals, write_description
from snac_cache.store.identity import CacheIdentity
from snac_cache.store.parts import PartRecord, codes_path
from snac_cache.store.records import Agreement
from snac_cache.store.resolve import manifest_rows
from snac_cache.work.plan import LARGEST_PART, Part, part_sizes
from snac_cache.work.plan_file import FOLDER, write_plan
from snac_common.artifacts import SPLITS, Artifacts
from snac_common.console import print_summary
from snac_common.devices import available_cores
from snac_common.progress import track
from snac_common.tool import Tool
from snac_model import load
from snac_model.audio.header import read_header
from snac_model.shapes.geometry import Geometry

MODEL = "builtin:speech-small"
SOURCE_RATES = (24_000, 44_100, 48_000)
SPREAD = 0.5  # of a log-normal distribution, whose mean is 5.3 s if its median is 4.7
SHORTEST_SECONDS, LONGEST_SECONDS = 1.0, 30.0
UTTERANCES_PER_SPEAKER = 400
WORDS, WORDS_PER_TEXT = 4000, 9


@click.command(cls=Tool, example="fabricate_cache.py -o /tmp/large --train 344711 --val 5542")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="DIR")
@click.option("--train", default=3_447_109, help="Utterances in train.")
@click.option("--val", default=55_419, help="Utterances in val.")
@click.option("--part-rows", default=LARGEST_PART, help="Utterances in a part.")
@click.option("--median", default=4.7, metavar="SECONDS", help="Median duration.")
@click.option("--seed", default=0, help="Decides durations, texts and codes.")
@click.option(
    "--audio",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A file that rows share; may be given several times. [default: paths of no file]",
)
@click.option("--manifest-only", is_flag=True, help="Write no codes.")
def main(
    *,
    output: Path,
    train: int,
    val: int,
    part_rows: int,
    median: float,
    seed: int,
    audio: tuple[Path, ...],
    manifest_only: bool,
) -> None:
    """Write manifests and codes below DIR, an artifact root."""
    places = Artifacts.at(output)
    for split, count in zip(SPLITS, (train, val), strict=True):
        write_made_up(
            places.manifests, split, count, partial(made_up_rows, split, seed, audio, median)
        )
    write_manifest({}, REJECTS.empty_table(), places.manifests)
    made: dict[str, Any] = {} if manifest_only else make_codes(places, part_rows, seed)
    print_summary(train=train, val=val, **made)


def write_made_up(folder: Path, split: str, count: int, make: Callable[[range], pa.Table]) -> None:
    """Write a split as snac-manifest would, without having all of it in memory."""
    if count <= SHARD_ROWS:
        write_split(make(range(count)), folder, split)
        return
    shards = (range(start, min(start + SHARD_ROWS, count)) for start in range(0, count, SHARD_ROWS))
    write_shards((make(shard) for shard in shards), folder, split)


def made_up_rows(
    split: str, seed: int, audio: tuple[Path, ...], median: float, rows: range
) -> pa.Table:
    """Return made-up rows of one split, with a text and a speaker as a user's manifest has them."""
    random = np.random.default_rng([seed, SPLITS.index(split), rows.start])
    numbers, count = np.asarray(rows), len(rows)
    speakers = padded(numbers // UTTERANCES_PER_SPEAKER, 5)
    ids = pc.binary_join_element_wise(f"{split}/speaker", speakers, "/", padded(numbers, 8), "")
    described = shared_audio(audio, count) if audio else made_up_audio(ids, median, random)
    columns = {
        **described,
        "utterance_id": ids,
        "split": pa.repeat(split, count),
        "channels": pa.repeat(pa.scalar(1, pa.int32()), count),
        "duration_s": pc.divide(
            described["num_frames"].cast(pa.float64()),
            described["source_sample_rate"].cast(pa.float64()),
        ),
    }
    own = [columns.get(field.name, pa.nulls(count, field.type)) for field in MANIFEST]
    table = pa.Table.from_arrays(own, schema=MANIFEST)
    named = pc.binary_join_element_wise(split, speakers, "-")
    return table.append_column("text", texts(count, random)).append_column("speaker", named)


def made_up_audio(ids: pa.Array, median: float, random: np.random.Generator) -> dict[str, pa.Array]:
    """Return the columns that describe files, of files that are not there."""
    count = len(ids)
    seconds = random.lognormal(np.log(median), SPREAD, count)
    seconds = seconds.clip(min(SHORTEST_SECONDS, median), LONGEST_SECONDS)
    rates = random.choice(SOURCE_RATES, count)
    digests = pa.py_buffer(random.bytes(16 * count).hex().encode())
    digests = pa.Array.from_buffers(pa.binary(32), count, [None, digests]).cast(pa.binary())
    return {
        "audio_path": pc.binary_join_element_wise("/data/speech/", ids, ".flac", ""),
        "source_sample_rate": pa.array(rates, pa.int32()),
        "num_frames": pa.array((seconds * rates).astype(np.int64)),
        "audio_fingerprint": pc.binary_join_element_wise("flac:", digests.cast(pa.string()), ""),
    }


def shared_audio(audio: tuple[Path, ...], count: int) -> dict[str, pa.Array]:
    """Return the columns that describe files, of a few real ones in turn."""
    headers = [read_header(path) for path in audio]
    each = {
        "audio_path": pa.array([str(path.resolve()) for path in audio]),
        "source_sample_rate": pa.array([header.sample_rate for header in headers], pa.int32()),
        "num_frames": pa.array([header.num_frames for header in headers], pa.int64()),
        "audio_fingerprint": pa.array([audio_fingerprint(path) for path in audio]),
    }
    turns = pa.array(np.arange(count) % len(audio))
    return {name: values.take(turns) for name, values in each.items()}


def texts(count: int, random: np.random.Generator) -> pa.Array:
    """Return sentences of made-up words."""
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = pa.array(["".join(random.choice(letters, 3 + n % 7)) for n in range(WORDS)])
    chosen = [words.take(pa.array(random.integers(0, WORDS, count))) for _ in range(WORDS_PER_TEXT)]
    return pc.binary_join_element_wise(*chosen, " ")


def padded(numbers: np.ndarray, digits: int) -> pa.Array:
    """Return numbers as text of equal length."""
    return pc.utf8_lpad(pa.array(numbers).cast(pa.string()), digits, "0")


def make_codes(places: Artifacts, part_rows: int, seed: int) -> dict[str, int]:
    """Write the plan and all parts of the manifest; return how many parts and tokens they are."""
    manifest = manifest_rows(places.manifests)
    identity = CacheIdentity.of(load(MODEL), MODEL, "fp32")
    sized = {
        split: (table, part_sizes(table.num_rows, part_rows)) for split, table in manifest.items()
    }
    plan = write_plan(places.codes / FOLDER, sized, SOURCE)
    write = partial(write_codes, places.codes, manifest, part_rows, identity, seed=seed)
    written = list(track(in_parallel(write, plan.parts), len(plan.parts), "fabricate", "parts"))
    described = describe(identity, part_rows)
    write_description(places.codes, {**described, **totals(record for record, _ in written)})
    return {"parts": len(written), "tokens": sum(tokens for _, tokens in written)}


def in_parallel(work: Callable[[Part], Any], parts: list[Part]) -> Any:
    """Do the work on all cores: random numbers and compression run without Python's lock."""
    with ThreadPoolExecutor(available_cores()) as pool:
        yield from pool.map(work, parts)


def write_codes(
    folder: Path,
    manifest: Manifest,
    part_rows: int,
    identity: CacheIdentity,
    part: Part,
    *,
    seed: int,
) -> tuple[PartRecord, int]:
    """Write one part with random codes; return its record and the number of its tokens."""
    rows = manifest[part.split].slice(part.number * part_rows, part.rows)
    geometry = identity.codec_geometry()
    samples = num_samples(rows, geometry)
    units = -(-samples // geometry.padded_samples(1))
    counts = units[:, None] * np.array(geometry.encoded_tokens(1))
    random = np.random.default_rng([seed, SPLITS.index(part.split), part.number])
    size = identity.config["codebook_size"]
    lists = [random_lists(random, size, counts[:, level]) for level in range(geometry.levels)]
    facts = [rows.column(name) for name in FACTS.names if name != "num_samples"]
    schema = codes_schema(geometry.levels)
    table = pa.Table.from_arrays([*facts, pa.array(samples), *lists], schema=schema)
    tokens = int(counts.sum())
    seconds = pc.sum(rows["duration_s"]).as_py()
    record = PartRecord(part.sha256, part.rows, seconds, agreement=Agreement(tokens, tokens))
    metadata = {**identity.to_metadata(), **record.to_metadata()}
    write_table(table.replace_schema_metadata(metadata), codes_path(folder, part))
    return record, tokens


def num_samples(rows: pa.Table, geometry: Geometry) -> np.ndarray:
    """Return the lengths of utterances at the codec's rate: int64."""
    rates = rows.column("source_sample_rate").to_numpy()
    return -(-rows.column("num_frames").to_numpy() * geometry.sample_rate // rates)


def random_lists(random: np.random.Generator, codebook_size: int, counts: np.ndarray) -> pa.Array:
    """Return one list of random codes for each count."""
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    codes = random.integers(0, codebook_size, offsets[-1], np.uint16)
    return pa.ListArray.from_arrays(offsets, codes)


if __name__ == "__main__":
    main()
