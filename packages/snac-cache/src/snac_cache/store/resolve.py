"""Which manifest row each cached utterance has: what is fact, and what is said of it, by id."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from snac_cache.manifests.read import Manifest, by_split, read_manifest
from snac_cache.manifests.shards import SHARD_ROWS, manifest_files
from snac_cache.manifests.stream import stream_manifest
from snac_cache.store.mapped import map_table
from snac_cache.store.matching import match
from snac_common.errors import Failure


def open_manifest(where: Path) -> pa.Table:
    """Map the rows of both splits of a manifest into memory.

    Raises:
        Failure: if there is no manifest, or it is not sound.
    """
    folder = where if where.is_dir() else where.parent
    name = "manifest" if where.is_dir() else where.name
    return map_table(folder, name, manifest_sources(where), lambda: _rows(where))


def manifest_sources(where: Path) -> list[Path]:
    """Return the files of a manifest; raises Failure if there are none."""
    if where.is_dir():
        return manifest_files(where)
    if not where.is_file():
        raise Failure(f"there is no manifest {where}. Run snac-manifest, or give --manifest.")
    return [where]


def manifest_rows(where: str | Path) -> Manifest:
    """Return a manifest's rows by split: in memory, or where they are many, mapped into it.

    Args:
        where: as ``read_manifest`` takes it.

    Raises:
        Failure: as ``read_manifest`` does.
    """
    path = Path(where)
    if str(where) == "-" or not _is_parquet(path) or _count(path) <= SHARD_ROWS:
        return read_manifest(where)
    return by_split(open_manifest(path))


def open_matches(codes: Path, parts: list[Path], manifest: Path) -> pa.Table:
    """Map into memory which row of the parts is which row of the manifest, each column in a chunk.

    Returns:
        Those of train first, then in the order of the parts: ``position`` in all their rows,
        ``manifest_row``, whether it is ``val``, and whether the manifest tells of other audio than
        was encoded (``changed``).
    """
    sources = [*parts, *manifest_sources(manifest)]
    return map_table(codes, "matched", sources, lambda: match(parts, open_manifest(manifest)))


def _rows(where: Path) -> pa.RecordBatchReader:
    if _is_parquet(where):
        return stream_manifest(manifest_sources(where), where)
    rows = read_manifest(where).values()
    return pa.concat_tables(rows, promote_options="permissive").to_reader()


def _is_parquet(where: Path) -> bool:
    return where.is_dir() or where.suffix == ".parquet"


def _count(where: Path) -> int:
    """Return how many rows there are, 0 if that cannot be read: whoever reads them says why."""
    try:
        return sum(pq.read_metadata(file).num_rows for file in manifest_sources(where))
    except (OSError, Failure, pa.ArrowException):
        return 0
