"""What is fabricated is what the real commands and the real reader accept."""

import subprocess
import sys
from pathlib import Path

from workplace import succeed, write_tone

from snac_cache import CodeStore
from snac_cache.manifests.read import read_manifest

TOOL = Path(__file__).parents[2] / "tools" / "fabricate_cache.py"
MODEL = "builtin:speech-small"


def fabricate(folder: Path, *options: object) -> None:
    """Run the tool."""
    command = [sys.executable, TOOL, "-o", folder, *options]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)


def test_a_fabricated_cache_is_sound(tmp_path: Path) -> None:
    fabricate(tmp_path, "--train", 300, "--val", 20, "--part-rows", 128)
    found = succeed("snac_cache.cli.check", "--artifacts", tmp_path)
    assert (found["fail"], found["warn"]) == (0, 0)
    store = CodeStore(tmp_path / "codes", "train")
    assert len(store) == 300
    assert store.index_of(store[299].utterance_id) == 299
    assert len(store.column("text")[299].as_py().split()) == 9


def test_a_fabricated_cache_is_finished_until_a_part_is_missing(tmp_path: Path) -> None:
    for number in range(2):
        write_tone(tmp_path / f"{number}.flac", 0.2 + number / 10, 24_000)
    shared = [option for number in range(2) for option in ("--audio", tmp_path / f"{number}.flac")]
    fabricate(tmp_path, "--train", 10, "--val", 4, "--part-rows", 4, *shared)
    options = ["--artifacts", tmp_path, "--model", MODEL, "--device", "cpu", "--workers", 1]
    again = succeed("snac_cache.cli.cache", *options)
    assert (again["rows"], again["skipped_rows"]) == (0, 14)
    (tmp_path / "codes" / "train" / "part-00001.parquet").unlink()
    again = succeed("snac_cache.cli.cache", *options)
    assert (again["rows"], again["skipped_rows"], again["rejects"]) == (4, 10, {})


def test_a_manifest_alone_can_be_fabricated(tmp_path: Path) -> None:
    fabricate(tmp_path, "--train", 10, "--val", 4, "--manifest-only")
    assert not (tmp_path / "codes").exists()
    rows = read_manifest(tmp_path / "manifests")
    assert {split: table.num_rows for split, table in rows.items()} == {"train": 10, "val": 4}
    assert rows["train"].column_names[-2:] == ["text", "speaker"]
