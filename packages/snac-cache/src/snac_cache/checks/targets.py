"""Which of the targets in a manifest lead to no file."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from snac_cache.checks.cache_files import CacheFiles, Places
from snac_cache.checks.database import Database
from snac_model.audio.locators import named_file

READING_THREADS = 32
FOLDERS_AT_ONCE = 512
MISSING = pa.schema([("folder", pa.string()), ("name", pa.string())])
FOLDERS = """
SELECT parse_dirpath(target_path, 'forward_slash'),
    list(parse_filename(target_path, false, 'forward_slash'))
FROM manifest WHERE target_path IS NOT NULL GROUP BY ALL
"""


def find_missing_targets(database: Database, cache: CacheFiles, places: Places) -> None:
    """Make ``missing_targets``."""
    database.table("missing_targets", MISSING.empty_table())
    folders = database.connection.cursor().execute(FOLDERS)
    while batch := folders.fetchmany(FOLDERS_AT_ONCE):
        missing = [
            pa.table({"folder": [folder] * len(names), "name": names}, schema=MISSING)
            for folder, names in missing_files(batch)
        ]
        if missing:
            database.insert("missing_targets", pa.concat_tables(missing))


def missing_files(folders: list[tuple[str, list[str]]]) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder that lacks some of the names that should be in it, with those names.

    Each folder is listed once, in parallel threads: over millions of files, and over a network,
    that takes a fraction of the time of asking for each file.
    """
    with ThreadPoolExecutor(READING_THREADS) as pool:
        yield from (found for found in pool.map(_missing_in_folder, folders) if found[1])


def _missing_in_folder(wanted: tuple[str, list[str]]) -> tuple[str, list[str]]:
    folder, names = wanted
    try:
        present = set(os.listdir(folder or "."))
    except OSError:
        present = set()
    return folder, [
        name for name in names if name not in present and named_file(name) not in present
    ]
