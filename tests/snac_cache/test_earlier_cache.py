"""Caches of the earlier scripts, given to every command that reads codes."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from workplace import run, succeed, write_tone

FORMS = ["", "train"]


@pytest.fixture(params=FORMS)
def earlier(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Such a cache, and a manifest beside it."""
    folder = tmp_path / "old" / request.param
    folder.mkdir(parents=True)
    rows = pa.table({"file_path": ["a.wav"], "codes": [[[1, 2], [3, 4]]]})
    pq.write_table(rows, folder / "codes_batch_gpu0_000001.parquet")
    for split in ("train", "val"):
        write_tone(tmp_path / "in" / split / "a.wav", 1.1)
    succeed("snac_cache.cli.manifest", tmp_path / "in", "--artifacts", tmp_path)
    return folder


@pytest.mark.parametrize("command", ["decode file", "decode folder", "check", "train", "eval"])
def test_one_sentence_says_why_it_must_be_made_anew(
    earlier: Path, tmp_path: Path, model_folder: Path, command: str
) -> None:
    old, model = tmp_path / "old", ["--model", model_folder, "--device", "cpu"]
    (file,) = old.rglob("*.parquet")
    calls: dict[str, tuple[object, ...]] = {
        "decode file": ("snac_cache.cli.decode", file, "-o", tmp_path / "wav", *model),
        "decode folder": ("snac_cache.cli.decode", old, "-o", tmp_path / "wav", *model),
        "check": ("snac_cache.cli.check", "--codes", old, "--artifacts", tmp_path),
        "train": ("snac_train.cli.train", "--phase", 10, "--codes", old, "--artifacts", tmp_path),
        "eval": ("snac_eval.cli.evaluate", model_folder, "--codes", old, "--artifacts", tmp_path),
    }
    module, *arguments = calls[command]
    result = run(str(module), *arguments)
    assert result.exit_code in (1, 2), result.output
    assert "is a cache of the earlier scripts" in result.stderr
    assert "snac-cache" in result.stderr
    assert "Traceback" not in result.output


def test_parquet_without_codes_says_what_it_holds(tmp_path: Path, model_folder: Path) -> None:
    pq.write_table(pa.table({"words": ["a"], "count": [1]}), tmp_path / "other.parquet")
    result = run(
        "snac_cache.cli.decode", tmp_path / "other.parquet", "-o", tmp_path / "wav",
        "--model", model_folder, "--device", "cpu",
    )  # fmt: skip
    assert result.exit_code == 1
    assert "no column codes_0" in result.stderr
    assert "words, count" in result.stderr
