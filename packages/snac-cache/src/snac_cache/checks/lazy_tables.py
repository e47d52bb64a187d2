"""Tables that cost time, each made when a query first names it."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from snac_cache.checks.asked import ASKED, REQUESTED, read_asked
from snac_cache.checks.measure import LISTS, TOKEN_VALUES, measure_parts
from snac_cache.checks.results import open_evaluations, open_runs
from snac_cache.checks.targets import missing_files
from snac_model.console import track

if TYPE_CHECKING:
    from snac_cache.checks.views import Views

FOLDERS_AT_ONCE = 512
CODEBOOKS = """
CREATE VIEW codebooks AS
SELECT level, codebook_size, sum(occurrences)::BIGINT AS tokens, count(*) AS used,
    round(log2(tokens) - sum(occurrences * log2(occurrences)) / tokens, 4) AS entropy_bits,
    round(2 ** entropy_bits, 1) AS perplexity
FROM levels JOIN token_counts USING (level)
GROUP BY level, codebook_size ORDER BY level
"""
TARGET_FOLDERS = """
SELECT parse_dirpath(target_path), list(parse_filename(target_path))
FROM codes WHERE target_path IS NOT NULL GROUP BY ALL
"""
TOKEN_LISTS = """
CREATE VIEW token_lists AS
SELECT utterance_id, split, filename, lists.* EXCLUDE (part, row)
FROM lists JOIN parts ON part = number
JOIN (SELECT utterance_id, codes.split, filename, file_row_number FROM codes) USING (filename)
WHERE file_row_number = row
"""


def measure(views: "Views") -> None:
    """Make ``token_lists``, ``token_counts``, ``codebooks`` and ``unreadable``."""
    levels = views.files.identity.codec_geometry().levels
    parts = views.files.sound_parts()
    counts = np.zeros((levels, TOKEN_VALUES), np.int64)
    unreadable: list[dict[str, Any]] = []
    views.table("lists", LISTS.empty_table())
    for part in track(measure_parts(parts, levels), len(parts), "read", "parts"):
        counts += part.counts
        if part.problem:
            unreadable.append({"part": part.number, "problem": part.problem})
        elif part.lists:
            views.insert("lists", pa.concat_tables(part.lists))
    columns = pa.schema([("part", pa.int32()), ("problem", pa.string())])
    views.table("unreadable", pa.Table.from_pylist(unreadable, columns))
    views.create_codes(leave_out={entry["part"] for entry in unreadable})
    views.table("token_counts", _counts_table(counts))
    views.connection.execute(TOKEN_LISTS)
    views.connection.execute(CODEBOOKS)


def ask(views: "Views") -> None:
    """Make ``asked`` and ``requested``."""
    asked = read_asked(views.manifest, views.files.description.get("manifest", {}))
    views.table("asked", pa.Table.from_pylist(asked.splits, ASKED))
    views.table("requested", REQUESTED.empty_table())
    for rows in asked.requested:
        views.insert("requested", rows)


def find_missing_targets(views: "Views") -> None:
    """Make ``missing_targets``."""
    columns = pa.schema([("folder", pa.string()), ("name", pa.string())])
    views.table("missing_targets", columns.empty_table())
    folders = views.connection.cursor().execute(TARGET_FOLDERS)
    while batch := folders.fetchmany(FOLDERS_AT_ONCE):
        missing = [
            pa.table({"folder": [folder] * len(names), "name": names}, schema=columns)
            for folder, names in missing_files(batch)
        ]
        if missing:
            views.insert("missing_targets", pa.concat_tables(missing))


def _counts_table(counts: np.ndarray) -> pa.Table:
    """Return ``level``, ``token`` and ``occurrences`` of every token that occurs."""
    level, token = np.nonzero(counts)
    return pa.table(
        {"level": level.astype(np.int32), "token": token, "occurrences": counts[level, token]}
    )


MAKERS: dict[str, Callable[["Views"], None]] = {
    "token_lists": measure,
    "token_counts": measure,
    "codebooks": measure,
    "unreadable": measure,
    "asked": ask,
    "requested": ask,
    "missing_targets": find_missing_targets,
    "metrics": open_evaluations,
    "eval": open_evaluations,
    "training": open_runs,
}


def makers_of(sql: str) -> list[Callable[["Views"], None]]:
    """Return what must run before a query: each maker of a table that it names, once."""
    words = set(re.findall(r"\w+", re.sub(r"--.*", "", sql).lower()))
    return list(dict.fromkeys(make for name, make in MAKERS.items() if name in words))
