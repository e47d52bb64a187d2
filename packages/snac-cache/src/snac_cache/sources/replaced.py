"""Whether a new manifest may take the place of the one that is there."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from snac_cache.manifests.shards import split_files
from snac_cache.manifests.sources import Source
from snac_cache.parquet import read_table
from snac_cache.schema import MANIFEST
from snac_cache.sources.forms import FOLDER, form_of
from snac_cache.sources.kept_columns import SCANNED
from snac_common.artifacts import SPLITS
from snac_common.errors import BadInput

MOST_NAMES = 100  # ids of the user's own may start with anything
ADVICE = "Give another folder with -o or --artifacts, or --overwrite to replace them."


def check_replaceable(folder: Path, sources: list[Source], form: str | None = None) -> None:
    """Look at the manifests in a folder, of which a scan of the sources is to take the place.

    They may be of the same corpus, with other files or in another place, but not of another one;
    and they may have no columns of the user's own, which a scan knows nothing of. Those that came
    out of the sources may be there, for they come again.

    Args:
        form: of all sources, as it was asked for.

    Raises:
        BadInput: saying what would be lost.
    """
    for path in [path for split in SPLITS for path in split_files(folder, split)]:
        try:
            columns = list(pq.read_schema(path))
            rows = read_table(path, ["utterance_id", "audio_path"])
        except (OSError, ValueError, pa.ArrowException):
            continue  # it is not there, or damaged: nothing would be lost
        if own := [column.name for column in columns if _is_own(column)]:
            raise BadInput(f"{path} has columns of your own ({', '.join(own)}). {ADVICE}")
        for row in _ends_of_each_source(rows):
            if not any(_is_of(row, source, form) for source in sources):
                raise BadInput(
                    f"{path} is the manifest of other audio, such as {row['utterance_id']!r} "
                    f"({row['audio_path']}). {ADVICE}"
                )


def _ends_of_each_source(rows: pa.Table) -> list[dict[str, Any]]:
    """Return the first and the last row of each name that ids start with."""
    pieces = pc.split_pattern(rows["utterance_id"], "/", max_splits=1)
    named = pa.table(
        {"name": pc.list_element(pieces, 0), "row": pa.array(np.arange(rows.num_rows))}
    )
    ends = named.group_by("name", use_threads=False).aggregate([("row", "min"), ("row", "max")])[
        :MOST_NAMES
    ]
    wanted = [*ends["row_min"].to_pylist(), *ends["row_max"].to_pylist()]
    return list(rows.take(pa.array(wanted, pa.int64())).to_pylist())


def _is_own(column: pa.Field) -> bool:
    marks = column.metadata or {}
    return column.name not in MANIFEST.names and not SCANNED.items() <= marks.items()


def _is_of(row: dict[str, Any], source: Source, form: str | None) -> bool:
    """Say whether a row is one of a source's, which may have moved, or may have lost the file.

    Of forms other than folders of files, only the name tells it: audio may lie anywhere.
    """
    if not row["utterance_id"].startswith(f"{source.name}/"):
        return False
    if (form or form_of(source.path)) != FOLDER:
        return True
    inside = row["utterance_id"].removeprefix(f"{source.name}/")
    place = source.folder.absolute() / (inside + Path(row["audio_path"]).suffix)
    if source.path.is_file():  # it is not its folder, whose other files would be lost
        return place == source.path.absolute()
    return str(place) == row["audio_path"] or place.exists()
