"""Some rows of a manifest that are like the whole."""

import numpy as np
import pyarrow as pa

from snac_cache.manifests.read import Manifest
from snac_cache.manifests.splits import hash_fraction

IDS_AT_ONCE = 2**16


def samples(rows: Manifest, limit: int, val_limit: int) -> Manifest:
    """Return ``limit`` of the train rows and ``val_limit`` of the val rows; 0 takes all."""
    return {
        "train": sample(rows["train"], limit or None),
        "val": sample(rows["val"], val_limit or None),
    }


def sample(rows: pa.Table, limit: int | None) -> pa.Table:
    """Return ``limit`` of the rows, in their order, as ``chosen`` chooses; None takes all."""
    if limit is None or limit >= rows.num_rows:
        return rows
    return rows.take(chosen(rows.column("utterance_id"), limit))


def chosen(ids: pa.ChunkedArray, limit: int | None) -> np.ndarray:
    """Return the positions of ``limit`` ids by a hash of each, ascending: int64; None takes all.

    The first rows of a sorted corpus are one speaker's. A larger limit only adds rows, and which
    ids there are besides changes nothing: so one limit means the same utterances to all commands.
    """
    if limit is None or limit >= len(ids):
        return np.arange(len(ids))
    hashes = np.concatenate([_hashes(chunk) for chunk in ids.chunks])
    return np.sort(np.argsort(hashes, kind="stable")[:limit])


def _hashes(ids: pa.Array) -> np.ndarray:
    """Hash ids, not all of which are Python's strings at once: float64."""
    found = np.empty(len(ids))
    for start in range(0, len(ids), IDS_AT_ONCE):
        some = ids.slice(start, IDS_AT_ONCE).to_pylist()
        found[start : start + len(some)] = [hash_fraction("limit " + name) for name in some]
    return found
