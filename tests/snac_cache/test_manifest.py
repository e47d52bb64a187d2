"""Manifests: ids, splits, pipes."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from workplace import run, succeed, write_tone

from snac_cache.manifest import parse_json_lines, read_manifest
from snac_cache.splits import SplitRule, hash_fraction
from snac_model.errors import Failure

MANIFEST = "snac_cache.cli.manifest"


def ids(folder: Path, split: str) -> list[str]:
    """Return the ids of one split's manifest."""
    listed: list[str] = pq.read_table(folder / f"{split}.parquet")["utterance_id"].to_pylist()
    return listed


@pytest.mark.parametrize("val", ["val", "valid", "validation", "dev"])
def test_a_source_keeps_its_own_splits(tmp_path: Path, val: str) -> None:
    for name in ("train/a", "train/deep/b", f"{val}/c", "other/d"):
        write_tone(tmp_path / "in" / f"{name}.wav", 1.1)
    found = succeed(MANIFEST, tmp_path / "in", "-o", tmp_path, "--max-reject-rate", 0.5)
    assert ids(tmp_path, "train") == ["train/a", "train/deep/b"]
    assert ids(tmp_path, "val") == [f"{val}/c"]
    assert found["rejects"] == {"outside_splits": 1}


def test_several_sources_put_their_names_in_front(tmp_path: Path) -> None:
    for name in ("one/x", "two/x"):
        write_tone(tmp_path / f"{name}.wav", 1.1)
    succeed(MANIFEST, tmp_path / "one", tmp_path / "two", "-o", tmp_path, "--val-ratio", 0)
    assert ids(tmp_path, "train") == ["one/x", "two/x"]


def test_rows_say_what_the_file_is(tmp_path: Path) -> None:
    write_tone(tmp_path / "in" / "a.flac", 1.25, rate=44100, channels=2)
    write_tone(tmp_path / "in" / "b.wav", 1.5)
    succeed(MANIFEST, tmp_path / "in", "-o", tmp_path, "--val-ratio", 0)
    first, second = pq.read_table(tmp_path / "train.parquet").to_pylist()
    assert first == {
        "utterance_id": "a",
        "split": "train",
        "audio_path": str(tmp_path / "in" / "a.flac"),
        "source_sample_rate": 44100,
        "channels": 2,
        "num_frames": 55125,
        "duration_s": 1.25,
        "target_path": None,
        "bandwidth_hz": None,
        "target_lag_samples": None,
        "target_gain_db": None,
    }
    assert second["target_path"] == second["audio_path"]


def test_links_are_followed_and_loops_are_not(tmp_path: Path) -> None:
    write_tone(tmp_path / "elsewhere" / "a.wav", 1.1)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "loop").symlink_to(tmp_path / "in")
    succeed(MANIFEST, tmp_path / "in", "-o", tmp_path, "--val-ratio", 0)
    assert ids(tmp_path, "train") == ["link/a"]


def test_a_manifest_passes_through_a_pipe(tmp_path: Path, model_folder: Path) -> None:
    for number in range(4):
        write_tone(tmp_path / "in" / f"{number}.wav", 1.1 + number / 10)
    art = ["--artifacts", tmp_path / "art"]
    piped = run(MANIFEST, tmp_path / "in", "-o", "-", "--val-ratio", 0, *art)
    assert piped.exit_code == 0
    assert [json.loads(line)["utterance_id"] for line in piped.stdout.splitlines()] == list("0123")
    kept = "".join(line for line in piped.stdout.splitlines(keepends=True) if '"2"' not in line)
    options = ["--manifest", "-", "--model", model_folder, "--device", "cpu", *art]
    assert succeed("snac_cache.cli.cache", *options, stdin=kept)["rows"] == 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", "line 2"),
        ('{"utterance_id": "a"}', "it lacks split"),
        ("[1]", "line 2"),
        ('{"utterance_id": 1, "split": "train"}', "it lacks"),
    ],
)
def test_a_bad_line_is_named(line: str, message: str) -> None:
    with pytest.raises(Failure, match=message):
        parse_json_lines(["\n", line], "stdin")


def test_a_repeated_id_is_refused(tmp_path: Path) -> None:
    write_tone(tmp_path / "in" / "a.wav", 1.1)
    lines = run(MANIFEST, tmp_path / "in", "-o", "-", "--artifacts", tmp_path).stdout
    (tmp_path / "lines.jsonl").write_text(lines * 2)
    with pytest.raises(Failure, match="'a' more than once"):
        read_manifest(tmp_path / "lines.jsonl")


@pytest.mark.parametrize("source", ["missing", "empty"])
def test_a_source_without_audio_is_a_usage_error(tmp_path: Path, source: str) -> None:
    (tmp_path / "empty").mkdir()
    result = run(MANIFEST, tmp_path / source, "--artifacts", tmp_path)
    assert result.exit_code == 2
    assert source in result.stderr
    assert not list(tmp_path.rglob("*.parquet"))


@given(st.text(), st.floats(0, 1))
def test_the_hash_split_depends_on_the_id_alone(utterance_id: str, ratio: float) -> None:
    rule = SplitRule({}, ratio)
    assert rule.split(Path("x"), utterance_id) == (
        "val" if hash_fraction(utterance_id) < ratio else "train"
    )
    assert 0 <= hash_fraction(utterance_id) < 1


def test_the_hash_never_changes() -> None:
    """Golden values: with another hash, a larger data set would move utterances between splits."""
    assert hash_fraction("speaker/utterance") == pytest.approx(GOLDEN, abs=1e-12)
    share = sum(hash_fraction(f"u{i}") < 0.05 for i in range(20_000)) / 20_000
    assert share == pytest.approx(0.05, abs=0.005)


GOLDEN = 0.07394657599476369
