"""``metrics.parquet``: one row an utterance, model, rate and metric; written and read whole."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from snac_common.errors import Failure
from snac_common.files import atomic_path
from snac_eval.measuring.measure import Row

SCHEMA = pa.schema(
    [
        pa.field("utterance_id", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("rate", pa.int32(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
    ]
)
ROWS_IN_MEMORY = 20_000


def as_table(rows: Iterable[Row]) -> pa.Table:
    """Return rows as the columns of ``metrics.parquet``."""
    return pa.Table.from_pylist([row._asdict() for row in rows], schema=SCHEMA)


def as_rows(table: pa.Table | pa.RecordBatch) -> Iterator[Row]:
    """Yield the rows of what has the columns of ``metrics.parquet``."""
    return (Row(**row) for row in table.to_pylist())


class MetricsWriter:
    """Writes rows in groups, so that memory does not grow with their number."""

    def __init__(self, file: pq.ParquetWriter) -> None:
        self._file = file
        self._tables: list[pa.Table] = []

    def add(self, table: pa.Table) -> None:
        """Add the rows of some utterances."""
        self._tables.append(table)
        if sum(map(len, self._tables)) >= ROWS_IN_MEMORY:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are still in memory."""
        self._file.write_table(pa.concat_tables(self._tables or [SCHEMA.empty_table()]))
        self._tables.clear()


@contextmanager
def metrics_writer(path: Path) -> Iterator[MetricsWriter]:
    """Yield a writer of ``metrics.parquet``; the file appears once it is whole."""
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, SCHEMA, compression="zstd", write_page_checksum=True) as file,
    ):
        writer = MetricsWriter(file)
        yield writer
        writer.flush()


def read_utterances(path: Path) -> Iterator[list[Row]]:
    """Yield the rows of each utterance, every page's checksum verified.

    Raises:
        Failure: if the file is damaged, or holds no metrics.
    """
    for _, rows in groupby(_rows(path), key=lambda row: row.utterance_id):
        yield list(rows)


def _rows(path: Path) -> Iterator[Row]:
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if file.schema_arrow.names != SCHEMA.names:
                raise Failure(f"{path} holds no metrics of snac-eval: run snac-eval again.")
            left = file.metadata.num_rows
            for batch in file.iter_batches(ROWS_IN_MEMORY):
                left -= len(batch)
                yield from as_rows(batch)
            if left:  # a page's header has no checksum
                raise OSError(f"{left} rows are missing")
    except (OSError, pa.ArrowException) as error:
        raise Failure(f"{path} is damaged: {error}. Run snac-eval again.") from error
