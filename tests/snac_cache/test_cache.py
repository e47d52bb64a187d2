"""Codes do not depend on who made them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import snac
import torch
from models import NARROW, seeded
from workplace import query, run, snapshot, succeed

from snac_cache import CodeStore
from snac_model import DualHeadSNAC, load, save
from snac_model.audio.reading import read_mono, resample

CACHE = "snac_cache.cli.cache"


def options(model: Path, manifest: Path, codes: Path) -> list[object]:
    """Return what every run of snac-cache in these tests is given."""
    folders = ["--model", model, "--manifest", manifest, "--codes", codes]
    return [*folders, "--device", "cpu", "--part-rows", 3]


def test_codes_are_those_of_the_official_package(
    tmp_path: Path, model_folder: Path, manifest_folder: Path
) -> None:
    succeed(CACHE, *options(model_folder, manifest_folder, tmp_path))
    official = snac.SNAC(**NARROW["24k"].to_dict()).eval()
    official.load_state_dict(load(model_folder).state_dict())
    store = CodeStore(tmp_path, "train")
    assert len(store) == 10
    for index, utterance in enumerate(store):
        audio = resample(*read_mono(utterance.audio_path), 24000)
        assert utterance.num_samples == len(audio)
        with torch.inference_mode():
            expected = official.encode(audio[None, None])
        for level, codes in zip(expected, store.codes(index), strict=True):
            np.testing.assert_array_equal(codes, level[0].numpy())


def test_parts_do_not_depend_on_the_number_of_workers(
    tmp_path: Path, model_folder: Path, manifest_folder: Path
) -> None:
    for workers in (1, 3):
        where = options(model_folder, manifest_folder, tmp_path / str(workers))
        succeed(CACHE, *where, "--workers", workers)
    assert snapshot(tmp_path / "1") == snapshot(tmp_path / "3")


def test_run_again_makes_only_what_is_missing(
    tmp_path: Path, model_folder: Path, manifest_folder: Path
) -> None:
    where = options(model_folder, manifest_folder, tmp_path)
    succeed(CACHE, *where)
    whole = snapshot(tmp_path)
    (tmp_path / "train" / "part-00002.parquet").unlink()
    (tmp_path / "train" / ".part-00002.parquet-x.partial").write_bytes(b"torn")
    again = succeed(CACHE, *where)
    assert (again["rows"], again["skipped_rows"]) == (3, 9)
    (tmp_path / "train" / ".part-00002.parquet-x.partial").unlink()
    assert snapshot(tmp_path) == whole


def test_another_model_over_a_cache_is_refused(
    tmp_path: Path, model_folder: Path, manifest_folder: Path
) -> None:
    succeed(CACHE, *options(model_folder, manifest_folder, tmp_path / "codes"))
    before = snapshot(tmp_path / "codes")
    save(seeded(NARROW["24k"], seed=1), tmp_path / "other")
    where = options(tmp_path / "other", manifest_folder, tmp_path / "codes")
    refused = run(CACHE, *where)
    assert refused.exit_code == 1
    assert "tokenizer_sha256" in refused.stderr
    assert snapshot(tmp_path / "codes") == before
    assert succeed(CACHE, *where, "--overwrite")["rows"] == 12


def test_a_model_with_the_same_tokens_and_another_decoder_adds_to_a_cache(
    tmp_path: Path, model_folder: Path, manifest_folder: Path
) -> None:
    save(DualHeadSNAC.from_base(load(model_folder)), tmp_path / "dual")
    codes = tmp_path / "codes"
    succeed(CACHE, *options(model_folder, manifest_folder, codes), "--part-rows", 4)
    (codes / "train/part-00001.parquet").unlink()
    again = options(tmp_path / "dual", manifest_folder, codes)
    assert succeed(CACHE, *again, "--part-rows", 4)["rows"] == 4
    assert len(CodeStore(codes, "train")) == 10


def test_plain_duckdb_reads_rows_codes_and_metadata(
    tmp_path: Path, model_folder: Path, manifest_folder: Path
) -> None:
    succeed(CACHE, *options(model_folder, manifest_folder, tmp_path))
    parts = f"'{tmp_path}/train/*.parquet'"
    (count, hours, tokens), *_ = query(
        f"SELECT count(*), sum(duration_s) / 3600, sum(len(codes_2)) FROM {parts}"
    )
    assert count == 10
    assert 0 < hours < 1
    assert tokens == sum(len(CodeStore(tmp_path, "train").codes(i)[2]) for i in range(10))
    ((kind,),) = query(f"SELECT DISTINCT typeof(codes_0) FROM {parts}")
    assert kind == "USMALLINT[]"
    keys = query(f"SELECT DISTINCT decode(key) FROM parquet_kv_metadata({parts})")
    named = {key for (key,) in keys}
    assert named >= {"snac.model", "snac.weights_sha256", "snac.geometry", "snac.precision"}


def test_a_model_is_found_among_the_runs_of_the_given_artifacts(
    tmp_path: Path, model_folder: Path, manifest_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNAC_ARTIFACTS", str(tmp_path / "others"))
    run = tmp_path / "artifacts" / "runs" / "first"
    shutil.copytree(model_folder, run / "best")
    (run / "recipe.toml").touch()
    where = ["--artifacts", tmp_path / "artifacts", "--manifest", manifest_folder]
    given = ["--device", "cpu", "--workers", 1, "--model", "first"]
    assert succeed(CACHE, *where, *given)["rows"] == 12
