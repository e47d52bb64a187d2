"""What to say where there are no codes, or codes that earlier scripts have cached."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from snac_cache.schema import code_column
from snac_common.artifacts import SPLITS
from snac_common.errors import Failure

PATTERN = "codes_batch*.parquet"


def no_codes(codes: Path) -> Failure:
    """Return what to tell a person about a folder without parts."""
    folders = [codes, *(codes / split for split in SPLITS)]
    earlier = next(chain.from_iterable(folder.glob(PATTERN) for folder in folders), None)
    if earlier:
        return Failure(_must_be_made_anew(earlier.parent))
    return Failure(f"no cached codes in {codes}. Run snac-cache, or give --codes DIR.")


def check_columns(file: Path, names: Sequence[str]) -> None:
    """Raise Failure if a parquet file with columns of these names holds no codes of ours."""
    if code_column(0) in names:
        return
    if file.match(PATTERN):
        raise Failure(_must_be_made_anew(file))
    raise Failure(
        f"{file} holds no codes: it has no column {code_column(0)}. Its columns: {', '.join(names)}"
    )


def _must_be_made_anew(place: Path) -> str:
    return (
        f"{place} is a cache of the earlier scripts: its codes lack the ends of the utterances and "
        "do not say which audio and which codec they are of, so it must be made anew. Run "
        "snac-manifest FOLDER on the audio, then snac-cache; see docs/legacy.md."
    )
