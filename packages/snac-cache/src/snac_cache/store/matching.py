"""Which cached row is which row of a manifest, by id; what memory cannot hold goes to a folder."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from snac_cache.parquet import MADE_ANEW, damaged, read_table
from snac_cache.schema import FACTS, SOURCE
from snac_common.devices import available_cores
from snac_common.errors import Failure

MEMORY_LIMIT = "2GB"

# A manifest without fingerprints tells nothing about them.
SQL = """
SELECT position, manifest_row, split = 'val' AS val,
    coalesce(cached.source_sample_rate <> said.source_sample_rate, false)
    OR coalesce(cached.num_frames <> said.num_frames, false)
    OR coalesce(cached.audio_fingerprint <> said.audio_fingerprint, false) AS changed
FROM cached JOIN said USING (utterance_id)
ORDER BY val, position
"""


def match(parts: list[Path], said: pa.Table) -> pa.RecordBatchReader:
    """Return which rows of the parts are which rows of a manifest, as one batch.

    Args:
        said: all rows of the manifest.

    Raises:
        Failure: if a part cannot be read.
    """
    numbers = pa.array(np.arange(said.num_rows))
    said = said.select([*SOURCE, "split"]).append_column("manifest_row", numbers)
    problems: list[Failure] = []
    with tempfile.TemporaryDirectory(prefix="snac-match-") as overflow:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": overflow,
            "threads": available_cores(),
        }
        with duckdb.connect(config=settings) as connection:
            connection.register("said", said)
            connection.register("cached", _cached(parts, problems))
            try:
                found = connection.sql(SQL).to_arrow_table()
            except duckdb.Error:
                for problem in problems:
                    raise problem from None
                raise
    return found.combine_chunks().to_reader()


def _cached(parts: list[Path], problems: list[Failure]) -> pa.RecordBatchReader:
    """Yield what decides the codes of each cached row, and its position among all of them.

    What is wrong with a part is kept in ``problems``: DuckDB would put its own error in its place.
    """
    place = pa.field("position", pa.int64())
    schema = pa.schema([*(FACTS.field(name).with_nullable(True) for name in SOURCE), place])

    def batches() -> Iterator[pa.RecordBatch]:
        start = 0
        for part in parts:
            try:
                rows = read_table(part, list(SOURCE))
            except (OSError, pa.ArrowException) as error:
                problems.append(damaged(part, error, MADE_ANEW))
                raise
            positions = pa.array(np.arange(start, start + rows.num_rows))
            start += rows.num_rows
            table = rows.append_column(place, positions).cast(schema)
            yield from table.combine_chunks().to_batches()

    return pa.RecordBatchReader.from_batches(schema, batches())
