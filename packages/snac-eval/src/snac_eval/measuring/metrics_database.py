"""What was measured as tables of DuckDB, beside the codes and the manifest."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from snac_cache.checks.database import files
from snac_cache.schema import code_column
from snac_cache.store.code_store import CodeStore
from snac_cache.store.resolve import open_manifest
from snac_common.console import note
from snac_common.errors import BadInput
from snac_eval.measuring.metrics_file import SCHEMA

# One row an utterance: the manifest's columns, the user's own too, the codes, and one model's
# metrics as a run's log has them.
MEASURED = """
CREATE TABLE measured AS PIVOT (
    SELECT utterance_id, format('{{:g}}k/', rate / 1000) || metric AS name, value
    FROM metrics WHERE model = {model}
) ON name USING any_value(value) GROUP BY utterance_id;
"""
UTTERANCES = """
CREATE VIEW utterances AS
    SELECT * FROM manifest JOIN codes USING (utterance_id) JOIN measured USING (utterance_id);
"""
ORDERS = {
    "best": "{loss} ASC NULLS LAST",
    "worst": "{loss} DESC NULLS LAST",
    "random": "md5(utterance_id || '{seed}')",
}


@dataclass(frozen=True)
class Spread:
    """How one metric's values are spread: the 5th, 25th, 50th, 75th and 95th percentile."""

    model: str
    percentiles: list[float]


class MetricsDatabase:
    """The metrics of an evaluation beside the cached codes and what is known of them.

    Args:
        metrics: ``metrics.parquet``.
        store: the cached codes.
        model: whose metrics are columns of ``utterances``, and whose loss ranks them.
    """

    def __init__(self, metrics: Path, store: CodeStore, model: str) -> None:
        self.model = model
        self._connection = duckdb.connect()
        self._run(f"CREATE VIEW metrics AS FROM read_parquet({files([metrics])})")
        self._run(MEASURED.format(model=_quoted(model)))
        _add_utterances(self._connection, store)
        self._columns = [name for name, *_ in self._run("DESCRIBE utterances")]
        ((self.rate,),) = self._run("SELECT max(rate) FROM metrics WHERE model = $1", [model])
        self.loss = f'"{self.rate / 1000:g}k/loss"'

    def ranked(self, order: str, count: int, seed: int = 0, where: str | None = None) -> list[str]:
        """Return ids of ``count`` utterances: the ``best``, the ``worst`` or ``random`` ones.

        Raises:
            BadInput: if ``where`` is no condition on the columns of ``utterances``.
        """
        by = ORDERS[order].format(loss=self.loss, seed=seed)
        query = f"SELECT utterance_id FROM utterances WHERE ({where or 'true'}\n) "
        try:
            rows = self._run(f"{query} ORDER BY {by}, utterance_id LIMIT {count}")
        except duckdb.Error as error:
            raise _wrong(where, error) from error
        return [utterance_id for (utterance_id,) in rows]

    def losses(self, utterance_id: str) -> dict[tuple[str, int], float | None]:
        """Return an utterance's losses by model and rate."""
        query = "SELECT model, rate, value FROM metrics WHERE utterance_id = $1 AND metric = 'loss'"
        return {(model, rate): value for model, rate, value in self._run(query, [utterance_id])}

    def spreads(self, rate: int, metric: str) -> list[Spread]:
        """Return how a metric's values are spread, for each model that has any."""
        query = """
            SELECT model, quantile_cont(value, [0.05, 0.25, 0.5, 0.75, 0.95]) FROM metrics
            WHERE rate = $1 AND metric = $2 AND value IS NOT NULL GROUP BY model
        """
        return [Spread(*row) for row in self._run(query, [rate, metric])]

    def narrow_references(self) -> tuple[int, int, float] | None:
        """Say how many references hold less than 24 kHz audio can, of how many, and their highest.

        None where the manifest does not know, or where most hold more. A 48 kHz output cannot
        be learned from such recordings, and little is measured above what they hold.
        """
        if "bandwidth_hz" not in self._columns:
            return None
        ((narrow, known, highest),) = self._run(
            "SELECT count(*) FILTER (bandwidth_hz < $1), count(bandwidth_hz), "
            "max(bandwidth_hz) FILTER (bandwidth_hz < $1) FROM utterances",
            [self.rate / 4],
        )
        return (narrow, known, highest) if narrow > known / 2 else None

    def _run(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, list(values)).fetchall()


def check_condition(
    where: str, store: CodeStore, utterance_ids: Sequence[str], metrics: Sequence[str]
) -> None:
    """Try a condition before anything is measured: on the utterances, with all metrics NULL.

    Args:
        metrics: names of the columns that there will be, such as ``48k/loss``.

    Notes a condition that no utterance can meet, whatever is measured.

    Raises:
        BadInput: if it is no condition on the columns of ``utterances``, or cannot be computed of
            them.
    """
    connection = duckdb.connect()
    connection.register("metrics", SCHEMA.empty_table())
    unknown = {name: pa.nulls(len(utterance_ids), pa.float64()) for name in metrics}
    connection.register("measured", pa.table({"utterance_id": list(utterance_ids), **unknown}))
    _add_utterances(connection, store)
    query = f"SELECT count(*) FROM utterances WHERE ({where}\n)::BOOLEAN IS NOT FALSE"
    try:
        (possible,) = connection.execute(query).fetchone() or (0,)
    except duckdb.Error as error:
        raise _wrong(where, error) from error
    if not possible and not re.search(r"\bmetrics\b", where):  # which has no rows yet
        note(f"warning: --where {where}: no utterance meets it, whatever is measured")


def _add_utterances(connection: duckdb.DuckDBPyConnection, store: CodeStore) -> None:
    """Make the views ``manifest``, ``codes`` and ``utterances``, beside ``measured``."""
    connection.register("manifest", open_manifest(store.manifest))
    codes = ["utterance_id", "num_samples", *map(code_column, range(store.geometry.levels))]
    source = f"read_parquet({files(store.files)})"
    connection.execute(f"CREATE VIEW codes AS SELECT {', '.join(codes)} FROM {source}")
    connection.execute(UTTERANCES)


def _wrong(where: str | None, error: duckdb.Error) -> BadInput:
    return BadInput(f"--where {where}: {error}")


def _quoted(text: str) -> str:
    """Return a text as an SQL literal, where a parameter is not allowed."""
    return "'" + str(text).replace("'", "''") + "'"
