"""The columns of training rows, and utterances as tables of them."""

import numpy as np
import pyarrow as pa

from snac_cache.rows.packing import Utterance
from snac_cache.rows.ragged import Ragged
from snac_cache.schema import CODES_LIST, INPUT_IDS

IGNORED = -100  # the label of what a model is not to learn
_IDS = pa.list_(pa.int32())
_MASK = pa.list_(pa.int8())

TEXTS = pa.schema(
    [
        pa.field("utterance_id", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field(CODES_LIST, _IDS, nullable=False),
    ]
)
ROWS = pa.schema(
    [
        pa.field("utterance_id", pa.string(), nullable=False),
        pa.field(INPUT_IDS, _IDS, nullable=False),
        pa.field("labels", _IDS, nullable=False),
        pa.field("attention_mask", _MASK, nullable=False),
    ]
)
PACKED = pa.schema(
    [
        pa.field("utterance_ids", pa.list_(pa.string()), nullable=False),
        pa.field("seq_lengths", _IDS, nullable=False),
        *list(ROWS)[1:],
    ]
)


def one_each(names: pa.Array, ids: Ragged) -> pa.Table:
    """Return a row for each utterance: all of it is learned."""
    lists = ids.to_arrow()
    mask = pa.ListArray.from_arrays(lists.offsets, pa.array(np.ones(len(ids.values), np.int8)))
    return pa.Table.from_arrays([names, lists, lists, mask], schema=ROWS)


def packed(rows: list[list[Utterance]], size: int, pad: int) -> pa.Table:
    """Return rows of several utterances each, padded to ``size`` ids."""
    ids = np.full((len(rows), size), pad, np.int32)
    labels = np.full((len(rows), size), IGNORED, np.int32)
    lengths = np.array([sum(item.length for item in row) for row in rows])
    for number, row in enumerate(rows):
        whole = np.concatenate([item.ids for item in row])
        ids[number, : len(whole)] = labels[number, : len(whole)] = whole
    mask = (np.arange(size) < lengths[:, None]).astype(np.int8)
    ends = np.arange(len(rows) + 1, dtype=np.int32) * size
    lists = [
        pa.ListArray.from_arrays(pa.array(ends), pa.array(values.reshape(-1)))
        for values in (ids, labels, mask)
    ]
    names = pa.array([[item.name for item in row] for row in rows], pa.list_(pa.string()))
    each = Ragged.of([item.length for item in row] for row in rows).to_arrow()
    return pa.Table.from_arrays([names, each, *lists], schema=PACKED)
