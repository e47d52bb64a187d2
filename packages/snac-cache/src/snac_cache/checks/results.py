"""What evaluations and training runs left beside a cache, as views over their files."""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from snac_cache.checks.views import Views

METRICS = pa.schema(
    [
        ("utterance_id", pa.string()),
        ("model", pa.string()),
        ("rate", pa.int32()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("reason", pa.string()),
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


def open_evaluations(views: "Views") -> None:
    """Make ``metrics`` and ``eval``."""
    files = _files(views, "eval/*/metrics.parquet")
    views.view("metric_files", files, METRICS, ", filename = true")
    views.connection.execute(
        f"CREATE VIEW metrics AS SELECT {FOLDER} AS evaluation, * FROM metric_files"
    )
    views.connection.execute(EVAL)


def open_runs(views: "Views") -> None:
    """Make ``training``.

    A line that cannot be read, as the last one of a run that is being written, is a row of NULLs.
    """
    files = _files(views, "runs/*/metrics.jsonl")
    views.view("run_files", files, TRAINING, JSON_LINES, reader="read_json")
    views.connection.execute(f"CREATE VIEW training AS SELECT {FOLDER} AS run, * FROM run_files")


def _files(views: "Views", pattern: str) -> list[Path]:
    return sorted(views.results.glob(pattern)) if views.results else []
