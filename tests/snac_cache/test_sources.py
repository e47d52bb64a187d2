"""One corpus in every form: the same codes, text and speakers, and nothing unpacked."""

from pathlib import Path
from typing import Any

import corpora
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpora import FORMS, utterances, write_files
from workplace import query, run, succeed

from snac_cache.manifests.read import read_manifest

CACHE, MANIFEST = "snac_cache.cli.cache", "snac_cache.cli.manifest"
Codes = dict[str, tuple[Any, ...]]


def codes_by_text(root: Path, model: Path) -> Codes:
    """Cache a manifest; return each text's codes."""
    succeed(CACHE, "--artifacts", root, "--model", model, "--device", "cpu", "--part-rows", 7)
    found = pa.concat_tables(read_manifest(root / "manifests").values())
    said = dict(zip(found["utterance_id"].to_pylist(), found["text"].to_pylist(), strict=True))
    rows = query(
        f"SELECT utterance_id, codes_0, codes_1, codes_2 FROM '{root}/codes/*/part-*.parquet'"
    )
    return {said[name]: tuple(codes) for name, *codes in rows}


@pytest.fixture(scope="module")
def by_file(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Codes:
    """The codes of all utterances as files, by their texts."""
    root = tmp_path_factory.mktemp("files")
    some = utterances()
    write_files(root / "in", some)
    succeed(MANIFEST, root / "in", "--artifacts", root)
    for split in ("train", "val"):
        path = root / "manifests" / f"{split}.parquet"
        table = pq.read_table(path)
        texts = {f"in/{one.name}": one.text for one in some}
        said = [texts[name] for name in table["utterance_id"].to_pylist()]
        pq.write_table(table.append_column("text", pa.array(said, pa.string())), path)
    return codes_by_text(root, model_folder)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_codes_text_and_speakers(
    tmp_path: Path, form: str, by_file: Codes, model_folder: Path
) -> None:
    some = utterances()
    source, options = corpora.make(form, tmp_path / "corpus", some)
    before = sorted(tmp_path.rglob("*"))
    found = succeed(MANIFEST, source, *options, "--artifacts", tmp_path / "made")
    assert (found["train"] + found["val"], found["rejects"]) == (24, {})
    rows = pa.concat_tables(read_manifest(tmp_path / "made" / "manifests").values()).to_pylist()
    said = {row["text"]: row["speaker"] for row in rows}
    assert said == {one.text: one.speaker for one in some}
    assert codes_by_text(tmp_path / "made", model_folder) == by_file
    after = [path for path in tmp_path.rglob("*") if "made" not in path.parts]
    assert sorted(after) == before
    made = {path.suffix for path in (tmp_path / "made").rglob("*") if path.is_file()}
    assert made.isdisjoint({".flac", ".wav", ".tar"})


@pytest.mark.parametrize("form", ["webdataset", "kaldi_files"])
def test_a_scan_may_be_repeated_but_not_over_columns_of_ones_own(tmp_path: Path, form: str) -> None:
    source, _ = corpora.make(form, tmp_path / "corpus", utterances(4))
    root = tmp_path / "made"
    for _ in range(2):
        succeed(MANIFEST, source, "--artifacts", root)
        succeed("snac_cache.cli.upsample", "--artifacts", root, "--engine", "resample")
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "corpus").rename(tmp_path / "elsewhere" / "corpus")
    if form == "webdataset":
        succeed(MANIFEST, moved, "--artifacts", root)
    path = root / "manifests" / "train.parquet"
    table = pq.read_table(path)
    pq.write_table(table.append_column("mine", pa.nulls(table.num_rows, pa.string())), path)
    refused = run(MANIFEST, moved, "--artifacts", root)
    assert (refused.exit_code, "columns of your own (mine)" in refused.stderr) == (2, True)
