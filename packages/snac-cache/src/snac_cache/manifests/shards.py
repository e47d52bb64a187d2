"""The files of a manifest: one for each split, or shards of a split that has millions of rows."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from snac_cache.parquet import write_table
from snac_cache.work.plan import part_files
from snac_common.artifacts import SPLITS
from snac_common.copying import remove
from snac_common.errors import Failure
from snac_common.files import atomic_folder

SHARD_ROWS = 2**22


def manifest_files(folder: Path) -> list[Path]:
    """Return the files of the manifest in a folder, those of train first.

    Raises:
        Failure: if there are none, or a split has both a file and shards.
    """
    found = [file for split in SPLITS for file in split_files(folder, split)]
    if not found:
        raise Failure(f"no manifest in {folder}. Run snac-manifest, or give --manifest.")
    return found


def split_files(folder: Path, split: str) -> list[Path]:
    """Return ``{split}.parquet`` or ``{split}/part-*.parquet`` by their numbers, if they are there.

    Raises:
        Failure: if both are: one of them is out of date.
    """
    whole, shards = folder / f"{split}.parquet", part_files(folder / split)
    if whole.is_file() and shards:
        raise Failure(
            f"there are two manifests of {split}: {whole}, and shards in {folder / split}. Remove "
            "the one that is out of date."
        )
    return [whole] if whole.is_file() else shards


def is_manifest(where: Path) -> bool:
    """Say whether a folder or file holds a manifest."""
    return where.is_file() or any(split_files(where, split) for split in SPLITS)


def write_split(table: pa.Table, folder: Path, split: str) -> None:
    """Write a split's rows, as shards if they are many; the other form, if it is there, goes.

    Shards come into their place together: a reader sees the old ones or the new ones.

    Raises:
        Failure: if the folder of the shards holds other files, which would be lost.
    """
    if table.num_rows > SHARD_ROWS:
        starts = range(0, table.num_rows, SHARD_ROWS)
        write_shards((table.slice(start, SHARD_ROWS) for start in starts), folder, split)
        return
    write_table(table, folder / f"{split}.parquet")
    for shard in part_files(folder / split):
        remove(shard)


def write_shards(tables: Iterable[pa.Table], folder: Path, split: str) -> None:
    """Write each of some tables as a shard of a split; see ``write_split``."""
    place = folder / split
    _check_nothing_else(place)
    with atomic_folder(place) as new:
        for number, table in enumerate(tables):
            write_table(table, new / f"part-{number:05d}.parquet")
    remove(folder / f"{split}.parquet")


def _check_nothing_else(place: Path) -> None:
    if place.exists() and (others := set(place.iterdir()) - set(part_files(place))):
        raise Failure(
            f"the manifest has more than {SHARD_ROWS:,} rows, so it is written as shards into "
            f"{place}. That folder holds other files, such as {min(others).name}: give another "
            "folder with -o."
        )
