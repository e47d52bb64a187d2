"""What evaluations and training runs left beside a cache, as views over their files."""

from pathlib import Path

import pyarrow as pa

from snac_cache.checks.cache_files import CacheFiles, Places
from snac_cache.checks.database import Database

METRICS = pa.schema(
    [
        ("utterance_id", pa.string()),
        ("model", pa.string()),
        ("rate", pa.int32()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("filename", pa.string()),
    ]
)
TRAINING = pa.schema([("kind", pa.string()), ("step", pa.int64()), ("filename", pa.string())])
JSON_LINES = (
    ", filename = true, format = 'newline_delimited', sample_size = -1, ignore_errors = true"
)
FOLDER = "parse_path(filename)[-2]"
EVAL = """
CREATE VIEW eval AS
SELECT evaluation, model, rate, metric, count(value) AS utterances,
    count(*) - count(value) AS missing, avg(value) AS mean
FROM metrics GROUP BY ALL
"""


def open_evaluations(database: Database, cache: CacheFiles, places: Places) -> None:
    """Make ``metrics`` and ``eval``."""
    files = _files(places, "eval/*/metrics.parquet")
    database.view("metric_files", files, METRICS, ", filename = true")
    database.execute(f"CREATE VIEW metrics AS SELECT {FOLDER} AS evaluation, * FROM metric_files")
    database.execute(EVAL)


def open_runs(database: Database, cache: CacheFiles, places: Places) -> None:
    """Make ``training``.

    A line that cannot be read, as the last one of a run that is being written, is a row of NULLs.
    """
    files = _files(places, "runs/*/metrics.jsonl")
    database.view("run_files", files, TRAINING, JSON_LINES, reader="read_json")
    database.execute(f"CREATE VIEW training AS SELECT {FOLDER} AS run, * FROM run_files")


def _files(places: Places, pattern: str) -> list[Path]:
    return sorted(places.results.glob(pattern)) if places.results else []
