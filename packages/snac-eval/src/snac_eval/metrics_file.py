"""Writing ``metrics.parquet``: one row an utterance, model, rate and metric."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from snac_common.files import atomic_path
from snac_eval.measure import Row

SCHEMA = pa.schema(
    [
        pa.field("utterance_id", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("rate", pa.int32(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("reason", pa.string()),
    ]
)
ROWS_IN_MEMORY = 20_000


class MetricsWriter:
    """Writes rows in groups, so that memory does not grow with their number."""

    def __init__(self, file: pq.ParquetWriter) -> None:
        self._file = file
        self._rows: list[Row] = []

    def add(self, rows: list[Row]) -> None:
        """Add the rows of an utterance."""
        self._rows += rows
        if len(self._rows) >= ROWS_IN_MEMORY:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are still in memory."""
        rows = [row._asdict() for row in self._rows]
        self._file.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
        self._rows.clear()


@contextmanager
def metrics_writer(path: Path) -> Iterator[MetricsWriter]:
    """Yield a writer of ``metrics.parquet``; the file appears once it is whole."""
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, SCHEMA, compression="zstd") as file,
    ):
        writer = MetricsWriter(file)
        yield writer
        writer.flush()
