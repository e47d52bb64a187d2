"""What is fabricated is what the real commands and the real reader accept."""

from pathlib import Path

from workplace import run, succeed, write_tone

from snac_cache import CodeStore
from snac_cache.manifests.read import read_manifest

MODEL = "builtin:speech-small"


def fabricate(folder: Path, *options: object) -> None:
    """Fabricate manifests, and a cache if that is asked for."""
    run_tool("fabricate_cache", "-o", folder, *options)


def run_tool(name: str, *options: object) -> None:
    """Run a tool that must succeed."""
    done = run(f"tools.{name}", *options)
    assert done.exit_code == 0, done.stderr


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


def test_fabricated_targets_are_finished_until_a_part_is_missing(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.flac", 0.3, 48_000)
    shared = ["--audio", tmp_path / "a.flac", "--manifest-only"]
    fabricate(tmp_path, "--train", 10, "--val", 4, "--part-rows", 4, *shared)
    run_tool("fabricate_targets", "-o", tmp_path, "--part-rows", 4)
    (tmp_path / "audio48k" / "parts" / "train" / "part-00001.parquet").unlink()
    options = ["--artifacts", tmp_path, "--engine", "resample", "--workers", 1]
    made = succeed("snac_cache.cli.upsample", *options)
    assert (made["native"], made["made"], made["rejects"]) == (14, 0, {})
    measured = read_manifest(tmp_path / "manifests")["train"]["bandwidth_hz"].to_pylist()
    assert measured[:4] == [20_000.0] * 4
    assert measured[4] != 20_000.0
