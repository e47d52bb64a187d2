"""The rows of a manifest that an SQL condition is true for."""

import re

import duckdb
import numpy as np
import pyarrow as pa

from snac_common.errors import BadInput

ROW = "manifest_row_number"
MEMORY_LIMIT = "1GB"
VOLATILE = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability = 'VOLATILE'"


def rows_where(table: pa.Table, condition: str, said_by: str = "--where") -> np.ndarray:
    """Return the rows for which a condition on a manifest's columns is true: int64, ascending.

    The condition is one that can stand after WHERE in DuckDB, with all columns of the table.

    Args:
        said_by: the option or setting that has the condition, for messages.

    Raises:
        BadInput: with DuckDB's message, if the condition is wrong; or if it is drawn by chance, so
            that it would select other rows each time.
    """
    numbered = table.append_column(ROW, pa.array(np.arange(table.num_rows)))
    settings: dict[str, str | bool | int | float | list[str]] = {"memory_limit": MEMORY_LIMIT}
    with duckdb.connect(config=settings) as connection:
        _refuse_chance(connection, condition, said_by)
        connection.register("manifest", numbered)
        try:
            query = f"SELECT {ROW} FROM manifest WHERE ({condition}\n)"
            rows = connection.sql(query).to_arrow_table()[ROW].to_numpy()
        except duckdb.Error as error:
            raise BadInput(f"{said_by}, {condition!r}, cannot be answered: {error}") from error
    return np.sort(rows)


def _refuse_chance(connection: duckdb.DuckDBPyConnection, condition: str, said_by: str) -> None:
    volatile = {name for (name,) in connection.execute(VOLATILE).fetchall()}
    without_texts = re.sub(r"'[^']*'", "", condition)
    called = {name.lower() for name in re.findall(r"(\w+)\s*\(", without_texts)}
    if drawn := sorted(volatile & called):
        raise BadInput(
            f"{said_by}, {condition!r}, would select other rows each time, by {drawn[0]}(). A hash "
            "selects the same ones: hash(utterance_id) % 10 = 0, or a --limit."
        )
