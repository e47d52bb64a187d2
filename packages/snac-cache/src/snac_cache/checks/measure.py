"""The one pass over every token: reads each part to its last byte and counts what it holds."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snac_cache.schema import code_column
from snac_common.devices import available_cores

ROWS_IN_MEMORY = 4096
TOKEN_VALUES = 2**16
TOKENS_AT_ONCE = 2**18  # bincount widens to 64 bits: this many stay in the processor's cache
LISTS = pa.schema(
    [
        ("part", pa.int32()),
        ("row", pa.int64()),
        ("level", pa.int32()),
        ("num_samples", pa.int64()),
        ("coarse_tokens", pa.int32()),
        ("tokens", pa.int32()),
        ("largest", pa.uint16()),
        ("longest_run", pa.int32()),
    ]
)


@dataclass
class MeasuredPart:
    """What one part holds.

    Attributes:
        lists: one row an utterance and level, as in ``LISTS``.
        counts: occurrences of each token, ``[levels, TOKEN_VALUES]``.
        problem: why the part could not be read to its end.
    """

    number: int
    lists: list[pa.Table]
    counts: np.ndarray
    problem: str | None = None


def measure_parts(parts: list[dict[str, Any]], levels: int) -> Iterator[MeasuredPart]:
    """Read parts in parallel; yields them in order."""
    with ThreadPoolExecutor(available_cores()) as pool:
        yield from pool.map(lambda part: _measure_part(part, levels), parts)


def _measure_part(part: dict[str, Any], levels: int) -> MeasuredPart:
    measured = MeasuredPart(part["number"], [], np.zeros((levels, TOKEN_VALUES), np.int64))
    first_row = 0
    try:
        with pq.ParquetFile(part["filename"], page_checksum_verification=True) as file:
            for batch in file.iter_batches(ROWS_IN_MEMORY, use_threads=False):
                _measure_batch(batch, first_row, measured)
                first_row += batch.num_rows
    except (OSError, ValueError, pa.ArrowException) as error:
        return MeasuredPart(part["number"], [], np.zeros_like(measured.counts), str(error))
    return measured


def _measure_batch(batch: pa.RecordBatch, first_row: int, measured: MeasuredPart) -> None:
    rows = np.arange(first_row, first_row + batch.num_rows)
    coarse_tokens = np.diff(batch.column(code_column(0)).offsets.to_numpy())
    for level, counts in enumerate(measured.counts):
        column = batch.column(code_column(level))
        offsets, tokens = column.offsets.to_numpy(), column.values.to_numpy()
        _count(tokens[offsets[0] : offsets[-1]], counts)
        columns = [
            np.full(len(rows), measured.number),
            rows,
            np.full(len(rows), level),
            batch.column("num_samples"),
            coarse_tokens,
            np.diff(offsets),
            largest_tokens(tokens, offsets),
            longest_runs(tokens, offsets),
        ]
        arrays = [
            pa.array(values).cast(field.type) for values, field in zip(columns, LISTS, strict=True)
        ]
        measured.lists.append(pa.Table.from_arrays(arrays, schema=LISTS))


def _count(tokens: np.ndarray, counts: np.ndarray) -> None:
    for start in range(0, len(tokens), TOKENS_AT_ONCE):
        counts += np.bincount(tokens[start : start + TOKENS_AT_ONCE], minlength=TOKEN_VALUES)


def largest_tokens(tokens: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the largest token of each list, 0 for an empty one; arguments as ``longest_runs``."""
    largest = np.zeros(len(offsets) - 1, tokens.dtype)
    filled = offsets[1:] > offsets[:-1]
    if filled.any():
        starts = offsets[:-1][filled]
        largest[filled] = np.maximum.reduceat(tokens[: offsets[-1]], starts)
    return largest


def longest_runs(tokens: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return how often each list repeats one token without a break, 0 for an empty one.

    Args:
        tokens: values of all lists, ``[T]``.
        offsets: where each list starts, and where the last one ends, ``[lists + 1]``.
    """
    longest = np.minimum(np.diff(offsets), 1)
    first, last = offsets[0], offsets[-1]
    repeats = (
        first + 1 + np.flatnonzero(tokens[first + 1 : last] == tokens[first : max(first, last - 1)])
    )
    owners = np.searchsorted(offsets, repeats, side="right") - 1
    inside = repeats != offsets[owners]  # the first token of a list repeats nothing
    repeats, owners = repeats[inside], owners[inside]
    breaks = np.diff(repeats) != 1
    breaks |= owners[1:] != owners[:-1]
    starts = np.flatnonzero(np.concatenate([np.ones(min(1, len(repeats)), bool), breaks]))
    lengths = np.diff(starts, append=len(repeats))
    np.maximum.at(longest, owners[starts], lengths + 1)
    return longest
