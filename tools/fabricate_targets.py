"""Fabricate the results of snac-upsample for manifests whose rows are their own targets.

    uv run python tools/fabricate_targets.py -o /tmp/large

For manifests over files at 48 kHz, as ``fabricate_cache.py --audio`` makes them.
"""

import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.compute as pc

from snac_cache.manifests.read import Manifest, read_manifest
from snac_cache.parquet import write_table
from snac_cache.schema import SCHEMA_VERSION, SOURCE, TARGET_RATE, TARGETS
from snac_cache.targets.choice import RESAMPLE
from snac_cache.targets.results import NATIVE, RECORD_KEY, VERSIONS, TargetRecord, results_path
from snac_cache.work.plan import LARGEST_PART, Part, part_sizes
from snac_cache.work.plan_file import FOLDER, write_plan
from snac_common.artifacts import Artifacts
from snac_common.console import print_summary
from snac_common.errors import BadInput
from snac_common.progress import track
from snac_common.tool import Tool

MAX_LAG = TARGET_RATE // 50  # the command's default


@click.command(cls=Tool, example="fabricate_targets.py -o /tmp/large")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="DIR")
@click.option("--part-rows", default=LARGEST_PART, help="Utterances in a part.")
def main(*, output: Path, part_rows: int) -> None:
    """Write plan and parts below DIR, an artifact root with manifests."""
    places = Artifacts.at(output)
    manifest = read_manifest(places.manifests)
    if any(pc.any(pc.not_equal(t["source_sample_rate"], TARGET_RATE)) for t in manifest.values()):
        raise BadInput(f"not all rows of {places.manifests} are at {TARGET_RATE} Hz")
    sized = {
        split: (table.select([*SOURCE, "audio_path"]), part_sizes(table.num_rows, part_rows))
        for split, table in manifest.items()
    }
    plan = write_plan(places.audio48k / FOLDER, sized, SOURCE)
    for part in track(plan.parts, len(plan.parts), "fabricate", "parts"):
        write_results(places.audio48k, manifest, part_rows, part)
    print_summary(parts=len(plan.parts))


def write_results(folder: Path, manifest: Manifest, part_rows: int, part: Part) -> None:
    """Write the results of a part, all of whose rows are their own targets."""
    rows = manifest[part.split].slice(part.number * part_rows, part.rows)
    known = {
        **{name: rows[name] for name in SOURCE},
        "kind": pa.repeat(NATIVE, part.rows),
        "bandwidth_hz": pa.repeat(20_000.0, part.rows),
        "clipped_samples": pa.repeat(0, part.rows),
    }
    columns = [known.get(field.name, pa.nulls(part.rows, field.type)) for field in TARGETS]
    record = TargetRecord(
        source_sha256=part.sha256,
        engine=RESAMPLE,
        max_lag=MAX_LAG,
        schema_version=SCHEMA_VERSION,
        native=part.rows,
        made=0,
        clipped=0,
        rejects={},
        versions={name: version(name) for name in VERSIONS},
    )
    table = pa.Table.from_arrays(columns, schema=TARGETS)
    table = table.replace_schema_metadata({RECORD_KEY: json.dumps(asdict(record))})
    write_table(table, results_path(folder, part))


if __name__ == "__main__":
    main()
