"""Manifests: ids, splits, pipes."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from workplace import command, run, succeed, write_tone

from snac_cache.manifests.manifest import parse_json_lines, read_manifest
from snac_cache.manifests.splits import Grouping, SplitRule, hash_fraction
from snac_model.errors import Failure

MANIFEST = "snac_cache.cli.manifest"
ROW = {
    "utterance_id": "a",
    "split": "train",
    "audio_path": "/a.wav",
    "source_sample_rate": 48_000,
    "channels": 1,
    "num_frames": 48_000,
    "duration_s": 1.0,
}


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


def test_what_killed_commands_left_is_cleared(tmp_path: Path) -> None:
    write_tone(tmp_path / "in" / "a.wav", 1.0)
    left = tmp_path / "manifests" / ".train.parquet-abcdefgh.partial"
    left.parent.mkdir()
    left.touch()
    os.utime(left, (0, 0))
    succeed(MANIFEST, tmp_path / "in", "-o", tmp_path / "manifests")
    assert not left.exists()


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


def test_a_manifest_passes_through_a_shell_pipe(tmp_path: Path, model_folder: Path) -> None:
    """With a real shell, and tools that know nothing of us in between."""
    for name in ("keep-1", "keep-2", "keep-3", "leave-4"):
        write_tone(tmp_path / "in" / f"{name}.wav", 1.1)
    art = ["--artifacts", tmp_path / "art"]
    scan = shlex.join(command(MANIFEST, tmp_path / "in", "-o", "-", "--val-ratio", 0, *art))
    options = ["--manifest", "-", "--model", model_folder, "--device", "cpu", *art]
    encode = shlex.join(command("snac_cache.cli.cache", *options))
    line = f"set -o pipefail; {scan} | grep keep | shuf -n 2 | {encode}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["rows"] == 2
    parts = (tmp_path / "art" / "codes" / "train").glob("*.parquet")
    cached = [name for part in parts for name in pq.read_table(part)["utterance_id"].to_pylist()]
    assert len(cached) == 2
    assert all(name.startswith("keep") for name in cached)


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3", "aiff", "w64"])
def test_each_format_is_read(tmp_path: Path, extension: str) -> None:
    write_tone(tmp_path / "in" / f"a.{extension}", 1.5)
    succeed(MANIFEST, tmp_path / "in", "-o", tmp_path, "--val-ratio", 0)
    (row,) = pq.read_table(tmp_path / "train.parquet").to_pylist()
    assert (row["num_frames"], row["source_sample_rate"]) == (72_000, 48_000)


def test_what_is_too_short_or_too_long_is_rejected(tmp_path: Path) -> None:
    for seconds in (0.9, 1.0, 2.0, 2.1):
        write_tone(tmp_path / "in" / f"{seconds}.wav", seconds)
    limits = ["--min-duration", 1, "--max-duration", 2, "--max-reject-rate", 0.5]
    found = succeed(MANIFEST, tmp_path / "in", "-o", tmp_path, "--val-ratio", 0, *limits)
    assert ids(tmp_path, "train") == ["1.0", "2.0"]
    assert found["rejects"] == {"too_short": 1, "too_long": 1}
    details = pq.read_table(tmp_path / "rejects.parquet")["detail"].to_pylist()
    assert "2.100 s, longer than --max-duration 2" in details


def test_the_first_file_of_an_id_is_kept(tmp_path: Path) -> None:
    for name in ("a.flac", "a.wav", "b.wav", "a.ogg", "b.flac"):
        write_tone(tmp_path / "in" / name, 1.1)
    limit = ["--val-ratio", 0, "--max-reject-rate", 1]
    found = succeed(MANIFEST, tmp_path / "in", "-o", tmp_path, *limit)
    paths = pq.read_table(tmp_path / "train.parquet")["audio_path"].to_pylist()
    assert [Path(path).name for path in paths] == ["a.flac", "b.flac"]
    assert found["rejects"] == {"duplicate_id": 3}


def test_a_group_stays_in_one_split(tmp_path: Path) -> None:
    for speaker in "abcdefgh":
        for number in range(3):
            write_tone(tmp_path / "in" / speaker / f"{number}.wav", 1.1)
    write_tone(tmp_path / "in" / "alone.wav", 1.1)
    options = ["-o", tmp_path, "--val-ratio", 0.5, "--group-by", "^(.)/"]
    result = run(MANIFEST, tmp_path / "in", *options)
    assert result.exit_code == 0
    assert "--group-by found nothing in 1 ids" in result.stderr
    speakers = [{name[0] for name in ids(tmp_path, split)} for split in ("train", "val")]
    assert speakers[0]
    assert speakers[1]
    assert not speakers[0] & (speakers[1] - {"a"})  # "alone" is a group of its own


def test_a_source_with_its_own_splits_keeps_them_and_says_so(tmp_path: Path) -> None:
    for name in ("train/a/1", "val/a/2"):
        write_tone(tmp_path / "in" / f"{name}.wav", 1.1)
    result = run(MANIFEST, tmp_path / "in", "-o", tmp_path, "--group-by", "/(.)/")
    assert result.exit_code == 0
    assert "keeps its own splits: --group-by does not apply to it" in result.stderr
    assert ids(tmp_path, "val") == ["val/a/2"]


def test_a_bad_pattern_is_a_usage_error_that_names_it(tmp_path: Path) -> None:
    result = run(MANIFEST, tmp_path, "--group-by", "speaker(")
    assert result.exit_code == 2
    assert "'speaker(' is not a regular expression" in result.stderr


@pytest.mark.parametrize(
    ("pattern", "utterance_id", "key"),
    [
        (r"^(\w+)/", "ann/1", "ann"),
        (r"^\w+/", "ann/1", "ann/"),
        (r"speaker=(\d+)|^\w+", "ann/1", "ann"),
        (r"(x*)", "ann/1", "ann/1"),
        (r"\d{3}", "ann/1", "ann/1"),
    ],
)
def test_what_names_a_group(pattern: str, utterance_id: str, key: str) -> None:
    grouping = Grouping(re.compile(pattern))
    assert grouping.key(utterance_id) == key
    assert grouping.unmatched == (key == utterance_id)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", "line 2"),
        ('{"utterance_id": "a"}', "it lacks split"),
        ("[1]", "line 2"),
        ('{"utterance_id": 1, "split": "train"}', "it lacks"),
        (json.dumps({**ROW, "num_frames": "many"}), "line 2"),
        (json.dumps({**ROW, "audio_path": None}), "it lacks audio_path"),
    ],
)
def test_a_bad_line_is_named(line: str, message: str) -> None:
    with pytest.raises(Failure, match=message):
        parse_json_lines(["\n", line, json.dumps(ROW)], "stdin")


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
