"""Parts tile the manifest, and batches hold equal padded lengths."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from models import CONFIG_44K

from snac_cache.encoding.batches import plan_batches
from snac_cache.work.plan import plan_parts, usual_part_rows
from snac_model.config import SNAC_24KHZ
from snac_model.geometry import Geometry

lengths = st.lists(st.integers(1, 500_000), max_size=60)
geometries = st.sampled_from([Geometry.of(SNAC_24KHZ), Geometry.of(CONFIG_44K)])


@given(st.integers(0, 5000), st.integers(0, 300), st.none() | st.integers(1, 700))
def test_parts_tile_each_split_in_order(train: int, val: int, part_rows: int | None) -> None:
    manifest = {name: pa.table({"x": range(n)}) for name, n in (("train", train), ("val", val))}
    parts = plan_parts(manifest, part_rows)
    for split, table in manifest.items():
        rows = [i for part in parts if part.split == split for i in range(part.start, part.stop)]
        assert rows == list(range(table.num_rows))
        numbers = [part.number for part in parts if part.split == split]
        assert numbers == list(range(len(numbers)))


@given(st.integers(0, 10_000_000))
def test_the_usual_part_is_neither_tiny_nor_huge(num_rows: int) -> None:
    assert 32 <= usual_part_rows(num_rows) <= 4096


@given(lengths, geometries, st.integers(1, 2_000_000))
def test_batches_hold_every_utterance_once_and_one_padded_length(
    num_samples: list[int], geometry: Geometry, max_samples: int
) -> None:
    batches = plan_batches(num_samples, geometry, max_samples)
    assert sorted(position for batch in batches for position in batch) == list(
        range(len(num_samples))
    )
    for batch in batches:
        (padded,) = {geometry.padded_samples(num_samples[position]) for position in batch}
        assert len(batch) == 1 or padded * len(batch) <= max_samples
