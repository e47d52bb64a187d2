"""Tables from the one pass over every token."""

from typing import Any

import numpy as np
import pyarrow as pa

from snac_cache.checks.cache_files import CacheFiles, Places
from snac_cache.checks.cached import create_cached
from snac_cache.checks.database import Database
from snac_cache.checks.measure import LISTS, TOKEN_VALUES, measure_parts
from snac_common.progress import track

CODEBOOKS = """
CREATE VIEW codebooks AS
SELECT level, codebook_size, sum(occurrences)::BIGINT AS tokens, count(*) AS used,
    round(log2(tokens) - sum(occurrences * log2(occurrences)) / tokens, 4) AS entropy_bits,
    round(2 ** entropy_bits, 1) AS perplexity
FROM levels JOIN token_counts USING (level)
GROUP BY level, codebook_size ORDER BY level
"""
TOKEN_LISTS = """
CREATE VIEW token_lists AS
SELECT utterance_id, filename, lists.* EXCLUDE (part, row)
FROM lists JOIN parts ON part = number
JOIN (SELECT utterance_id, filename, file_row_number FROM cached) USING (filename)
WHERE file_row_number = row
"""
UNREADABLE = pa.schema([("part", pa.int32()), ("problem", pa.string())])


def measure(database: Database, cache: CacheFiles, places: Places) -> None:
    """Make ``token_lists``, ``token_counts``, ``codebooks`` and ``unreadable``.

    What cannot be read to its last byte is left out of ``cached`` and all that rests on it.
    """
    levels = cache.levels.num_rows
    parts = cache.sound_parts()
    counts = np.zeros((levels, TOKEN_VALUES), np.int64)
    unreadable: list[dict[str, Any]] = []
    database.table("lists", LISTS.empty_table())
    for part in track(measure_parts(parts, levels), len(parts), "read", "parts"):
        counts += part.counts
        if part.problem:
            unreadable.append({"part": part.number, "problem": part.problem})
        elif part.lists:
            database.insert("lists", pa.concat_tables(part.lists))
    database.table("unreadable", pa.Table.from_pylist(unreadable, UNREADABLE))
    create_cached(database, cache, leave_out={entry["part"] for entry in unreadable})
    database.table("token_counts", _counts_table(counts))
    database.execute(TOKEN_LISTS)
    database.execute(CODEBOOKS)


def _counts_table(counts: np.ndarray) -> pa.Table:
    """Return ``level``, ``token`` and ``occurrences`` of every token that occurs."""
    level, token = np.nonzero(counts)
    return pa.table(
        {"level": level.astype(np.int32), "token": token, "occurrences": counts[level, token]}
    )
