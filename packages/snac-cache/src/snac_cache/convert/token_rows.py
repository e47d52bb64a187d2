"""Reading rows of ids, as snac-tokens writes them, back to codes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from snac_cache.convert.read import Row, select_rows
from snac_cache.convert.rejects import Unusable
from snac_cache.schema import CODES_LIST, INPUT_IDS, code_column
from snac_common.errors import Failure
from snac_model.tokens.layout import TokenLayout


def read_token_rows(
    files: list[Path], where: str | None, layout: TokenLayout
) -> Iterator[Row | Unusable]:
    """Yield the codes of each utterance in parquet files; of a packed row there are several.

    Args:
        where: an SQL condition on the rows.

    Raises:
        BadInput: with DuckDB's message, if the condition is wrong.
        Failure: if a file is damaged, or has no ids.
    """
    for file in files:
        names = _columns(file)
        if not {CODES_LIST, INPUT_IDS} & set(names):
            raise Failure(
                f"{file} has no ids of tokens: no column {CODES_LIST} or {INPUT_IDS}. If it holds "
                "codes, leave out --tokens."
            )
        if "utterance_ids" in names and "seq_lengths" not in names:
            raise Failure(f"{file} has rows of several utterances and no column seq_lengths")
    for number, row in enumerate(select_rows(files, where), start=1):
        try:
            utterances = list(_utterances(row, number))
        except (TypeError, ValueError, OverflowError) as error:
            yield Unusable("bad_codes", f"row {number} holds no ids: {error}", _name(row, number))
            continue
        for name, ids in utterances:
            yield _codes(name, ids, layout)


def _columns(file: Path) -> list[str]:
    try:
        names: list[str] = pq.read_schema(file).names
        return names
    except (OSError, ValueError) as error:  # Arrow's are of both kinds
        raise Failure(f"{file} cannot be read as parquet: {error}") from error


def _name(row: Row, number: int) -> str:
    return str(row.get("utterance_id") or f"row-{number:06d}")


def _utterances(row: Row, number: int) -> Iterator[tuple[str, np.ndarray]]:
    ids = row.get(CODES_LIST) or row.get(INPUT_IDS) or []
    names = row.get("utterance_ids")
    if names is None:
        yield _name(row, number), np.array(ids, np.int64)
        return
    start = 0
    for name, length in zip(names, row["seq_lengths"], strict=True):
        yield name, np.array(ids[start : start + length], np.int64)
        start += length


def _codes(name: str, ids: np.ndarray, layout: TokenLayout) -> Row | Unusable:
    try:
        levels = layout.codes_of_ids(ids)
    except Failure as error:
        return Unusable("bad_codes", str(error), name)
    return {"utterance_id": name} | {code_column(n): level for n, level in enumerate(levels)}
