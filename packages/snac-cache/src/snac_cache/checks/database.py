"""The database that holds the views: tables from Arrow, views over files."""

from collections.abc import Iterable
from pathlib import Path

import duckdb
import pyarrow as pa


class Database:
    """DuckDB, with what the makers of tables and views need.

    Args:
        connection: an empty database.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        """Run SQL; raises duckdb.Error if it is wrong."""
        return self.connection.execute(sql)

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

    def view(
        self,
        name: str,
        paths: list[Path],
        columns: pa.Schema,
        options: str = "",
        reader: str = "read_parquet",
    ) -> None:
        """Make a view over files; without rows, but with its columns, if there are none."""
        source = f"{reader}({files(paths)}, union_by_name = true{options})"
        if not paths:
            source = f"no_{name}"
            self.connection.register(source, columns.empty_table())
        self.connection.execute(f"CREATE OR REPLACE VIEW {name} AS FROM {source}")

    def view_with_all(self, name: str, source: str, columns: pa.Schema) -> None:
        """Make a view over a source that may lack some of the columns; they are NULL then.

        Args:
            source: what can follow FROM; empty for a view without rows.
        """
        self.table(f"{name}_columns", columns.empty_table())
        also = f" UNION ALL BY NAME FROM {source}" if source else ""
        self.connection.execute(f"CREATE VIEW {name} AS FROM {name}_columns{also}")


def files(paths: Iterable[Path]) -> str:
    """Return a list of paths in SQL; DuckDB takes none for a pattern if a file has that name."""
    return "[" + ", ".join(f"'{_doubled(path)}'" for path in paths) + "]"


def _doubled(path: Path) -> str:
    return str(path).replace("'", "''")
