"""DuckDB over a cache: the views that the checks and the user's own questions share.

``docs/checks.md`` lists them with their columns. Those that cost a pass over all tokens, over the
plan or over the targets' folders are made when a query first names them; so are those over results,
which say nothing about the cache.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from snac_cache.checks.cache_files import CacheFiles, Places, code_files, read_cache_files
from snac_cache.checks.cached import create_cached
from snac_cache.checks.database import Database
from snac_cache.checks.footers import PARTS
from snac_cache.checks.lazy_tables import LAZY_TABLES, LazyTables, named_in
from snac_cache.checks.planned import create_planned
from snac_cache.checks.stated import create_manifest, create_rejects
from snac_cache.manifests.shards import is_manifest
from snac_common.devices import available_cores
from snac_common.errors import Failure

MEMORY = "2GB"


class Views:
    """The views over one cache.

    Args:
        lazy_tables: what is made when a query names it.

    Raises:
        Failure: if a manifest or a file of rejects is not one.
    """

    def __init__(
        self,
        database: Database,
        cache: CacheFiles,
        places: Places,
        lazy_tables: Sequence[LazyTables],
    ) -> None:
        self.database = database
        self.cache = cache
        self.places = places
        self.lazy_tables = lazy_tables
        self._made: list[LazyTables] = []
        try:
            self._create()
        except duckdb.Error as error:
            raise Failure(f"cannot read what belongs to {cache.codes}: {error}") from error

    @property
    def lacking(self) -> str | None:
        """Why there are only the views that need no codes; None where all are there."""
        return self.cache.problem if self.cache.identity is None else None

    def execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        """Run a query over the views.

        Raises:
            duckdb.Error: if it is wrong.
            Failure: if it needs more memory than it may take.
        """
        try:
            self.prepare(sql)
            return self.database.execute(sql)
        except duckdb.OutOfMemoryException as error:
            raise Failure(
                "a query needs more memory than it may take, or more room for what does not fit "
                f"($TMPDIR): give snac-check more, such as --memory 8GB. {error}".split("\n")[0]
            ) from error

    def prepare(self, sql: str) -> None:
        """Make the tables that a query names and that cost time."""
        for lazy in named_in(sql, self.lazy_tables):
            if lazy not in self._made:
                self._made.append(lazy)
                lazy.make(self.database, self.cache, self.places)

    def has_made(self, table: str) -> bool:
        """Say whether a table that costs time is there already."""
        return any(table in lazy.names for lazy in self._made)

    def would_make(self, table: str, sql: str) -> bool:
        """Say whether a query needs this table, or one that is made together with it."""
        return any(table in lazy.names for lazy in named_in(sql, self.lazy_tables))

    def _create(self) -> None:
        create_manifest(self.database, self.cache, self.places)
        create_rejects(self.database, self.cache, self.places)
        if self.cache.identity is None:
            return
        self.database.table("parts", pa.Table.from_pylist(self.cache.parts, PARTS))
        self.database.table("cache", self.cache.cache_table(self.places.manifest))
        self.database.table("levels", self.cache.levels)
        create_planned(self.database, self.cache)
        create_cached(self.database, self.cache)


@contextmanager
def open_views(
    codes: Path,
    manifest: Path | None,
    results: Path | None = None,
    *,
    without_codes: bool = False,
    memory: str = MEMORY,
) -> Iterator[Views]:
    """Open the views over a cache; DuckDB's memory is bounded, the rest goes to a folder that goes.

    Args:
        codes: holds ``train/``, ``val/``, ``rejects/``, ``plan/`` and ``cache.json``.
        manifest: folder or file; where it is None or not there, the plan, which is the manifest
            as it was when the codes were made.
        results: the artifact root of evaluations and training runs; all optional.
        without_codes: where there are no codes, open those views that need none.
        memory: that DuckDB may take, as it writes it.

    Raises:
        Failure: if there are no codes, or a manifest or a file of rejects is not one.
    """
    there = manifest if manifest is not None and is_manifest(manifest) else None
    nothing = without_codes and there is not None and not code_files(codes)
    cache = CacheFiles.none(codes) if nothing else read_cache_files(codes)
    with tempfile.TemporaryDirectory(prefix="snac-check-") as overflow:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory,
            "temp_directory": overflow,
            "threads": available_cores(),
            "preserve_insertion_order": False,
        }
        with duckdb.connect(config=settings) as connection:
            yield Views(Database(connection), cache, Places(codes, there, results), LAZY_TABLES)
