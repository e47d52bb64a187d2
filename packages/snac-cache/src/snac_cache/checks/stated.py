"""What is said of the cached utterances: the views over the manifest, and over all rejects."""

from pathlib import Path

import pyarrow as pa

from snac_cache import schema
from snac_cache.checks.cache_files import CacheFiles, Places
from snac_cache.checks.database import Database, files
from snac_cache.checks.planned import plan_files
from snac_cache.manifests.read import read_manifest
from snac_cache.store.resolve import manifest_sources

PLACE = pa.field("filename", pa.string())
REJECT_FILES = pa.schema([PLACE, ("part", pa.string())])


def create_manifest(database: Database, cache: CacheFiles, places: Places) -> None:
    """Make ``manifest``: of the folder or file given; where there is none, the plan's rows.

    Raises:
        Failure: if a file of JSON lines is no manifest.
    """
    where = places.manifest
    if where is None:
        paths = [] if cache.plan_problem else plan_files(cache.codes)
    elif where.is_dir() or where.suffix == ".parquet":
        paths = manifest_sources(where)
    else:
        rows = pa.concat_tables(read_manifest(where).values(), promote_options="permissive")
        database.connection.register("manifest_rows", rows)
        database.view_with_all("manifest", "manifest_rows", schema.MANIFEST)
        return
    source = f"read_parquet({files(paths)}, union_by_name = true)" if paths else ""
    database.view_with_all("manifest", source, schema.MANIFEST)


def create_rejects(database: Database, cache: CacheFiles, places: Places) -> None:
    """Make ``manifest_rejects``, ``cache_rejects`` and ``rejects``, which holds both.

    A part's rejects are written before its codes, so they count only where those are there.
    """
    counted = [
        {"filename": str(path), "part": part["filename"]}
        for part in cache.parts
        if (path := _rejects_of(cache.codes, part)).is_file()
    ]
    database.table("reject_files", pa.Table.from_pylist(counted, REJECT_FILES))
    paths = [Path(row["filename"]) for row in counted]
    columns = schema.REJECTS.append(PLACE)
    database.view("reject_rows", paths, columns, ", filename = true")
    database.execute(
        "CREATE VIEW cache_rejects AS FROM reject_rows JOIN reject_files USING (filename)"
    )
    folder = places.manifest
    own = [folder / "rejects.parquet"] if folder is not None else []
    own = [path for path in own if path.is_file()]
    database.view("manifest_rejects", own, columns, ", filename = true")
    database.execute(
        "CREATE VIEW rejects AS "
        "FROM manifest_rejects UNION ALL BY NAME SELECT * EXCLUDE (part) FROM cache_rejects"
    )


def _rejects_of(codes: Path, part: dict[str, str]) -> Path:
    return codes / "rejects" / f"{part['folder']}-{Path(part['filename']).name}"
