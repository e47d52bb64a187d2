"""DuckDB over a cache: the views that the checks and the user's own questions share.

``docs/checks.md`` lists them with their columns. Those that cost a pass over all tokens, a hash of
the manifest or a listing of the targets' folders are made when a query first names them; so are
those over results, which say nothing about the cache.
"""

import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from snac_cache import schema
from snac_cache.checks.cache_files import PARTS, read_cache_files
from snac_cache.checks.lazy_tables import makers_of
from snac_model.artifacts import SPLITS
from snac_model.devices import available_cores
from snac_model.errors import Failure

MEMORY_LIMIT = "2GB"


class Views:
    """The views over one cache.

    Args:
        connection: an empty database.
        codes: holds ``train/``, ``val/``, ``rejects/`` and ``cache.json``.
        manifest: holds ``train.parquet``, ``val.parquet`` and ``rejects.parquet``; all optional.
        results: the artifact root of evaluations and training runs; all optional.

    Raises:
        Failure: if there are no codes, or a manifest or a file of rejects is not one.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        codes: Path,
        manifest: Path,
        results: Path | None = None,
    ) -> None:
        self.connection = connection
        self.files = read_cache_files(codes)
        self.manifest = manifest
        self.results = results
        self._made: set[Callable[[Views], None]] = set()
        try:
            self._create()
        except duckdb.Error as error:
            raise Failure(f"cannot read what belongs to {codes}: {error}") from error

    def execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        """Run a query over the views; raises duckdb.Error if it is wrong."""
        self.prepare(sql)
        return self.connection.execute(sql)

    def prepare(self, sql: str) -> None:
        """Make the tables that a query names and that cost time."""
        for make in makers_of(sql):
            if make not in self._made:
                self._made.add(make)
                make(self)

    def has_made(self, maker: Callable[["Views"], None]) -> bool:
        """Say whether a query has named a table of this maker."""
        return maker in self._made

    def table(self, name: str, content: pa.Table) -> None:
        """Make a table from Arrow."""
        self.connection.register("content", content)
        self.connection.execute(f"CREATE TABLE {name} AS FROM content")
        self.connection.unregister("content")

    def insert(self, name: str, content: pa.Table) -> None:
        """Add rows to a table, by column names."""
        self.connection.register("content", content)
        self.connection.execute(f"INSERT INTO {name} BY NAME FROM content")
        self.connection.unregister("content")

    def create_codes(self, leave_out: Collection[int] = ()) -> None:
        """Make ``codes`` and ``tokens`` over all sound parts but those of these numbers."""
        sound = [part for part in self.files.sound_parts() if part["number"] not in leave_out]
        levels = range(self.files.identity.codec_geometry().levels)
        columns = schema.codes(len(levels))
        for place in (pa.field("filename", pa.string()), pa.field("file_row_number", pa.int64())):
            columns = columns.append(place)
        paths = [Path(part["filename"]) for part in sound]
        self.view("codes", paths, columns, ", filename = true, file_row_number = true")
        unnested = " UNION ALL ".join(
            f"""SELECT utterance_id, split, {level} AS level,
                generate_subscripts({schema.code_column(level)}, 1) - 1 AS position,
                unnest({schema.code_column(level)}) AS token FROM codes"""
            for level in levels
        )
        self.connection.execute(f"CREATE OR REPLACE VIEW tokens AS {unnested}")

    def view(
        self,
        name: str,
        paths: list[Path],
        columns: pa.Schema,
        options: str = "",
        reader: str = "read_parquet",
    ) -> None:
        """Make a view over files; without rows, but with its columns, if there are none."""
        files = ", ".join(_quoted(path) for path in paths)
        source = f"{reader}([{files}], union_by_name = true{options})"
        if not paths:
            source = f"no_{name}"
            self.connection.register(source, columns.empty_table())
        self.connection.execute(f"CREATE OR REPLACE VIEW {name} AS FROM {source}")

    def _create(self) -> None:
        self.table("parts", pa.Table.from_pylist(self.files.parts, PARTS))
        self.table("cache", self.files.cache_table())
        self.table("levels", self.files.levels_table())
        self.create_codes()
        places = {
            "manifest_rejects": [self.manifest / "rejects.parquet"],
            "cache_rejects": sorted((self.files.codes / "rejects").glob("*.parquet")),
        }
        for name, paths in places.items():
            self.view(name, [path for path in paths if path.is_file()], schema.REJECTS)
        self.connection.execute(
            "CREATE VIEW rejects AS FROM manifest_rejects UNION ALL BY NAME FROM cache_rejects"
        )
        manifests = [self.manifest / f"{split}.parquet" for split in SPLITS]
        self.view("manifest", [path for path in manifests if path.is_file()], schema.MANIFEST)


@contextmanager
def open_views(codes: Path, manifest: Path, results: Path | None = None) -> Iterator[Views]:
    """Open the views over a cache; DuckDB's memory is bounded, the rest goes to a folder that goes.

    Raises:
        Failure: see ``Views``.
    """
    with tempfile.TemporaryDirectory(prefix="snac-check-") as overflow:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": overflow,
            "threads": available_cores(),
            "preserve_insertion_order": False,
        }
        with duckdb.connect(config=settings) as connection:
            yield Views(connection, codes, manifest, results)


def _quoted(path: Path) -> str:
    """Return a path as an SQL string; DuckDB tries it as it is before it takes it for a pattern."""
    return "'" + str(path).replace("'", "''") + "'"
