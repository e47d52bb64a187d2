"""The counts that are made in one pass over the tokens, against the plainest computation."""

from itertools import groupby

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from snac_cache.checks.measure import largest_tokens, longest_runs

token_lists = st.lists(st.lists(st.integers(0, 2), max_size=12), min_size=1, max_size=8)


@given(token_lists, st.integers(0, 7))
def test_runs_and_largest_tokens_of_each_list(lists: list[list[int]], skipped: int) -> None:
    array = pa.array(lists, pa.list_(pa.uint16())).slice(min(skipped, len(lists) - 1))
    offsets, tokens = array.offsets.to_numpy(), array.values.to_numpy()
    kept = array.to_pylist()
    runs = [max((len(list(run)) for _, run in groupby(one)), default=0) for one in kept]
    np.testing.assert_array_equal(longest_runs(tokens, offsets), runs)
    np.testing.assert_array_equal(
        largest_tokens(tokens, offsets), [max(k, default=0) for k in kept]
    )
