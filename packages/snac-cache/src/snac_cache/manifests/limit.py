"""A part of a manifest that is like the whole."""

import numpy as np
import pyarrow as pa

from snac_cache.manifests.splits import hash_fraction


def sample(rows: pa.Table, limit: int | None) -> pa.Table:
    """Return ``limit`` of the rows, in their order, chosen by a hash of their ids; None takes all.

    The first rows of a sorted corpus are one speaker's. And a larger limit only adds rows.
    """
    if limit is None or limit >= rows.num_rows:
        return rows
    ids = rows.column("utterance_id").to_pylist()
    order = np.argsort([hash_fraction("limit " + name) for name in ids], kind="stable")
    return rows.take(np.sort(order[:limit]))
