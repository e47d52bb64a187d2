"""Questions to what was measured, asked in SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from snac_cache.schema import code_column
from snac_cache.store.code_store import CodeStore
from snac_cache.store.resolve import open_manifest
from snac_common.errors import BadInput

# One row an utterance: the manifest's columns, the user's own too, the codes, and one model's
# metrics as a run's log has them.
UTTERANCES = """
CREATE TABLE measured AS PIVOT (
    SELECT utterance_id, format('{{:g}}k/', rate / 1000) || metric AS name, value
    FROM metrics WHERE model = {model}
) ON name USING any_value(value) GROUP BY utterance_id;
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
        self._run(f"CREATE VIEW metrics AS FROM read_parquet({_quoted(metrics)})")
        self._connection.register("manifest", open_manifest(store.manifest))
        codes = ["utterance_id", "num_samples", *map(code_column, range(store.geometry.levels))]
        files = ", ".join(map(_quoted, store.files))
        self._run(f"CREATE VIEW codes AS SELECT {', '.join(codes)} FROM read_parquet([{files}])")
        self._run(UTTERANCES.format(model=_quoted(model)))
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
            raise BadInput(f"--where {where}: {error}") from error
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

    def _run(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, list(values)).fetchall()


def _quoted(text: str | Path) -> str:
    """Return a text as an SQL literal, where a parameter is not allowed."""
    return "'" + str(text).replace("'", "''") + "'"
