"""The views over the parts, and the one that joins them with the manifest."""

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa

from snac_cache import schema
from snac_cache.checks.cache_files import CacheFiles
from snac_cache.checks.database import Database

PLACE = [pa.field("filename", pa.string()), pa.field("file_row_number", pa.int64())]


def create_cached(database: Database, cache: CacheFiles, leave_out: Collection[int] = ()) -> None:
    """Make ``cached``, ``codes`` and ``tokens`` over all sound parts but those of these numbers.

    ``codes`` has the utterances that CodeStore gives: cached, and in the manifest.
    """
    sound = [part for part in cache.sound_parts() if part["number"] not in leave_out]
    paths = [Path(part["filename"]) for part in sound]
    columns = schema.codes(cache.levels.num_rows)
    database.view(
        "cached",
        paths,
        pa.schema([*columns, *PLACE]),
        ", filename = true, file_row_number = true",
    )
    lists = [schema.code_column(level) for level in range(cache.levels.num_rows)]
    of_parts = ", ".join(f"cached.{name}" for name in ("num_samples", *lists, *_names(PLACE)))
    database.execute(
        f"CREATE OR REPLACE VIEW codes AS SELECT manifest.*, {of_parts} "
        "FROM cached JOIN manifest ON cached.utterance_id = manifest.utterance_id"
    )
    unnested = " UNION ALL ".join(
        f"""SELECT utterance_id, {level} AS level, generate_subscripts({name}, 1) - 1 AS position,
            unnest({name}) AS token FROM cached"""
        for level, name in enumerate(lists)
    )
    database.execute(f"CREATE OR REPLACE VIEW tokens AS {unnested}")


def _names(fields: list[pa.Field]) -> list[str]:
    return [field.name for field in fields]
