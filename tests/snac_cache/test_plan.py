"""Parts tile the manifest, and batches hold equal padded lengths."""

from pathlib import Path

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from models import CONFIG_44K

from snac_cache.encoding.batches import plan_batches
from snac_cache.parquet import rows_sha256
from snac_cache.work.plan import part_sizes, usual_part_rows
from snac_cache.work.plan_file import Plan, write_plan
from snac_model.shapes.config import SNAC_24KHZ
from snac_model.shapes.geometry import Geometry

lengths = st.lists(st.integers(1, 500_000), max_size=60)
geometries = st.sampled_from([Geometry.of(SNAC_24KHZ), Geometry.of(CONFIG_44K)])


@given(st.integers(0, 5000), st.none() | st.integers(1, 700))
def test_parts_tile_a_split(num_rows: int, part_rows: int | None) -> None:
    sizes = part_sizes(num_rows, part_rows)
    assert sum(sizes) == num_rows
    assert all(size == sizes[0] for size in sizes[:-1])
    assert not sizes or 0 < sizes[-1] <= sizes[0] == min(num_rows, sizes[0])


@given(st.lists(st.tuples(st.text(), st.none() | st.integers(-5, 2**40)), max_size=12), st.data())
def test_the_hash_of_rows_depends_on_their_content_alone(
    rows: list[tuple[str, int | None]], data: st.DataObject
) -> None:
    names, numbers = [name for name, _ in rows], [number for _, number in rows]
    whole = pa.table({"a": pa.array(names, pa.string()), "b": pa.array(numbers, pa.int64())})
    cut = data.draw(st.integers(0, len(rows)))
    pieces = pa.concat_tables([whole.slice(0, cut), whole.slice(cut)])
    longer = pa.concat_tables([whole, whole]).combine_chunks().slice(len(rows))
    hashes = {rows_sha256(table, ["a", "b"]) for table in (whole, pieces, longer)}
    assert len(hashes) == 1
    if rows:
        place = data.draw(st.integers(0, len(rows) - 1))
        names[place] += "x"
        other = whole.set_column(0, "a", pa.array(names, pa.string()))
        assert rows_sha256(other, ["a", "b"]) not in hashes


def test_text_that_moves_between_rows_changes_the_hash() -> None:
    first, second = (pa.table({"a": names}) for names in (["ab", "c"], ["a", "bc"]))
    assert rows_sha256(first, ["a"]) != rows_sha256(second, ["a"])


def test_a_plan_gives_the_rows_of_each_part(tmp_path: Path) -> None:
    whole = pa.table({"utterance_id": list("abcdefghij"), "text": list("ABCDEFGHIJ")})
    tables = {"train": whole, "val": whole.slice(0, 0)}
    sizes = {split: part_sizes(table.num_rows, 4) for split, table in tables.items()}
    rows = {split: (table, sizes[split]) for split, table in tables.items()}
    written = write_plan(tmp_path, rows, ["utterance_id"])
    read = Plan.read(tmp_path)
    assert read is not None
    assert read.parts == written.parts
    assert [part.rows for part in read.parts] == [4, 4, 2]
    found = pa.concat_tables([read.rows(part) for part in read.parts])
    assert found.to_pylist() == tables["train"].to_pylist()
    assert Plan.read(tmp_path / "elsewhere") is None


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
