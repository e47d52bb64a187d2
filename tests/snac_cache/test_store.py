"""The reader: slices by coarse token, no copies, and one cache at a time."""

import multiprocessing
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from models import NARROW, seeded
from workplace import succeed

from snac_cache import CodeStore
from snac_common.errors import Failure
from snac_model import save


@pytest.fixture(scope="module")
def codes(
    tmp_path_factory: pytest.TempPathFactory, model_folder: Path, manifest_folder: Path
) -> Path:
    """A cache in several parts."""
    return make(tmp_path_factory.mktemp("codes"), model_folder, manifest_folder)


def make(folder: Path, model: Path, manifest: Path) -> Path:
    """Run snac-cache."""
    where = ["--model", model, "--manifest", manifest, "--codes", folder]
    succeed("snac_cache.cli.cache", *where, "--device", "cpu", "--part-rows", 4)
    return folder


def test_slices_are_the_tokens_of_those_coarse_tokens(codes: Path) -> None:
    store = CodeStore(codes, "train")
    for index in range(len(store)):
        whole = store.codes(index)
        assert [len(level) for level in whole] == list(
            store.geometry.encoded_tokens(store[index].num_samples)
        )
        for start in range(store.coarse_tokens(index)):
            for level, part in enumerate(store.codes(index, start, 1)):
                per_coarse = store.geometry.tokens_per_coarse[level]
                first = start * per_coarse
                np.testing.assert_array_equal(part, whole[level][first : first + per_coarse])


def test_slices_are_read_only_views(codes: Path) -> None:
    store = CodeStore(codes, "train")
    whole, part = store.codes(3)[2], store.codes(3, 2, 4)[2]
    assert np.shares_memory(whole, part)
    with pytest.raises(ValueError, match="read-only"):
        part[0] = 1


def test_codes_stay_in_mapped_memory(codes: Path) -> None:
    store = CodeStore(codes, "train")
    store.codes(3)  # now its part is mapped, whoever did that
    again = CodeStore(codes, "train")
    before = pa.total_allocated_bytes()
    kept = again.codes(3)
    assert kept
    assert pa.total_allocated_bytes() == before


def test_utterances_by_index_and_id_over_parts(codes: Path) -> None:
    store = CodeStore(codes, "train")
    assert len(store) == 10
    for index, utterance in enumerate(store):
        assert store.index_of(utterance.utterance_id) == index
    for index in (-1, 10):
        with pytest.raises(IndexError):
            store[index]


@pytest.mark.parametrize(("start", "length"), [(-1, 2), (0, 1000), (5, -1), (1000, None)])
def test_tokens_that_are_not_there_are_an_error(
    codes: Path, start: int, length: int | None
) -> None:
    with pytest.raises(IndexError):
        CodeStore(codes, "train").codes(0, start, length)


def test_parts_of_two_models_are_not_one_cache(
    codes: Path, tmp_path: Path, manifest_folder: Path
) -> None:
    save(seeded(NARROW["24k"], seed=5), tmp_path / "other")
    other = make(tmp_path / "codes", tmp_path / "other", manifest_folder)
    (codes / "train" / "part-00000.parquet").rename(other / "train" / "part-00009.parquet")
    with pytest.raises(Failure, match="tokenizer_sha256"):
        CodeStore(other, "train")
    (other / "train" / "part-00009.parquet").rename(codes / "train" / "part-00000.parquet")


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_workers_read_what_the_parent_reads(codes: Path, method: str) -> None:
    store = CodeStore(codes, "train")
    utterance_id = store[7].utterance_id
    assert store.index_of(utterance_id) == 7
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        assert pool.submit(store.index_of, utterance_id).result() == 7
        for part, mine in zip(pool.submit(store.codes, 7).result(), store.codes(7), strict=True):
            np.testing.assert_array_equal(part, mine)


def test_a_part_that_was_replaced_is_mapped_anew(
    tmp_path: Path, model_folder: Path, manifest_folder: Path
) -> None:
    folder = make(tmp_path / "codes", model_folder, manifest_folder)
    before = CodeStore(folder, "train").codes(0)[2].tolist()
    save(seeded(NARROW["24k"], seed=3), tmp_path / "other")
    other = make(tmp_path / "others", tmp_path / "other", manifest_folder)
    for part in other.glob("*/part-*.parquet"):
        part.replace(folder / part.relative_to(other))
    after = CodeStore(folder, "train").codes(0)[2].tolist()
    assert after != before
    assert after == pq.read_table(folder / "train" / "part-00000.parquet")["codes_2"][0].as_py()


def test_a_damaged_part_is_named(tmp_path: Path, model_folder: Path, manifest_folder: Path) -> None:
    part = make(tmp_path, model_folder, manifest_folder) / "train" / "part-00001.parquet"
    content = bytearray(part.read_bytes())
    with pq.ParquetFile(part) as file:
        tokens = file.metadata.row_group(0).column(file.metadata.num_columns - 1)
    first = tokens.dictionary_page_offset or tokens.data_page_offset
    content[first + tokens.total_compressed_size - 1] ^= 0xFF
    part.write_bytes(content)
    store = CodeStore(tmp_path, "train")
    assert store.codes(0)
    with pytest.raises(Failure, match=r"part-00001\.parquet is damaged"):
        store.codes(4)


def test_what_is_planned_and_not_encoded_is_counted(codes: Path, tmp_path: Path) -> None:
    shutil.copytree(codes, tmp_path / "codes")
    assert CodeStore(tmp_path / "codes", "train").not_encoded == 0
    gone = tmp_path / "codes/train/part-00001.parquet"
    rows = pq.read_metadata(gone).num_rows
    gone.unlink()
    for split in ("train", "val"):
        assert CodeStore(tmp_path / "codes", split).not_encoded == rows > 0


def test_who_has_a_manifest_needs_no_plan(
    codes: Path, manifest_folder: Path, tmp_path: Path
) -> None:
    """A damaged plan is for snac-check to say; the codes are whole."""
    shutil.copytree(codes, tmp_path / "codes")
    (tmp_path / "codes/plan/train.parquet").write_bytes(b"damaged")
    assert len(CodeStore(tmp_path / "codes", "train", manifest_folder)) == 10


def test_a_folder_without_codes_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="snac-cache"):
        CodeStore(tmp_path, "train")
