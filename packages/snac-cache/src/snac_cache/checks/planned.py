"""What should be cached: the parts of the plan and their rows, the manifest as it was."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from snac_cache.checks.cache_files import CacheFiles, Places
from snac_cache.checks.database import Database, files
from snac_cache.schema import MANIFEST
from snac_cache.store.parts import codes_path
from snac_cache.work.plan_file import FOLDER
from snac_common.artifacts import SPLITS

PLANNED_PARTS = pa.schema(
    [
        ("filename", pa.string()),
        ("folder", pa.string()),
        ("rows", pa.int64()),
        ("source_sha256", pa.string()),
    ]
)
PROBLEMS = pa.schema([("filename", pa.string()), ("problem", pa.string())])


def plan_files(codes: Path) -> list[Path]:
    """Return the files of a cache's plan."""
    paths = [codes / FOLDER / f"{split}.parquet" for split in SPLITS]
    return [path for path in paths if path.is_file()]


def create_planned(database: Database, cache: CacheFiles) -> None:
    """Make ``planned`` and ``planned_parts``; both without rows if the plan cannot be read."""
    rows = [
        {
            "filename": str(codes_path(cache.codes, part)),
            "folder": part.split,
            "rows": part.rows,
            "source_sha256": part.sha256,
        }
        for part in cache.planned
    ]
    database.table("planned_parts", pa.Table.from_pylist(rows, PLANNED_PARTS))
    paths = [] if cache.plan_problem else plan_files(cache.codes)
    source = f"read_parquet({files(paths)}, union_by_name = true)" if paths else ""
    database.view_with_all("planned", source, MANIFEST)


def verify_plan(database: Database, cache: CacheFiles, places: Places) -> None:
    """Make ``plan_problems``: reads the plan to its last byte."""
    problems = []
    if cache.plan_problem:
        problems.append({"filename": str(cache.codes / FOLDER), "problem": cache.plan_problem})
    for path in [] if cache.plan_problem else plan_files(cache.codes):
        if problem := _problem(path):
            problems.append({"filename": str(path), "problem": problem})
    database.table("plan_problems", pa.Table.from_pylist(problems, PROBLEMS))


def _problem(path: Path) -> str | None:
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for group in range(file.num_row_groups):
                file.read_row_group(group)
    except (OSError, ValueError, pa.ArrowException) as error:
        return str(error)
    return None
