"""Manifests: ids, splits, pipes."""

import errno
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import killing
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from killing import Surroundings
from workplace import query, run, succeed, write_tone

from snac_cache.fingerprint import audio_fingerprint
from snac_cache.manifests.json_lines import parse_json_lines
from snac_cache.manifests.limit import sample
from snac_cache.manifests.read import read_manifest
from snac_cache.manifests.splits import Grouping, SplitRule, hash_fraction
from snac_cache.schema import MANIFEST as MANIFEST_COLUMNS
from snac_common.errors import Failure

CACHE, MANIFEST = "snac_cache.cli.cache", "snac_cache.cli.manifest"
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
    assert ids(tmp_path, "train") == ["in/train/a", "in/train/deep/b"]
    assert ids(tmp_path, "val") == [f"in/{val}/c"]
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
        "utterance_id": "in/a",
        "split": "train",
        "audio_path": str(tmp_path / "in" / "a.flac"),
        "source_sample_rate": 44100,
        "channels": 2,
        "num_frames": 55125,
        "duration_s": 1.25,
        "audio_fingerprint": audio_fingerprint(tmp_path / "in" / "a.flac"),
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
    (tmp_path / "in" / "second").symlink_to(tmp_path / "elsewhere")
    limit = ["--val-ratio", 0, "--max-reject-rate", 1]
    found = succeed(MANIFEST, tmp_path / "in", "-o", tmp_path, *limit)
    assert ids(tmp_path, "train") == ["in/link/a"]
    assert found["rejects"] == {"duplicate_folder": 2}
    details = query(f"SELECT utterance_id, detail FROM '{tmp_path}/rejects.parquet' ORDER BY ALL")
    assert [name for name, _ in details] == ["in/link/loop", "in/second"]
    assert str(tmp_path / "in" / "link") in details[1][1]


def test_a_manifest_passes_through_a_pipe(tmp_path: Path, model_folder: Path) -> None:
    for number in range(4):
        write_tone(tmp_path / "in" / f"{number}.wav", 1.1 + number / 10)
    art = ["--artifacts", tmp_path / "art"]
    piped = run(MANIFEST, tmp_path / "in", "-o", "-", "--val-ratio", 0, *art)
    assert piped.exit_code == 0
    assert [json.loads(line)["utterance_id"] for line in piped.stdout.splitlines()] == [
        f"in/{number}" for number in range(4)
    ]
    kept = "".join(line for line in piped.stdout.splitlines(keepends=True) if '"in/2"' not in line)
    options = ["--manifest", "-", "--model", model_folder, "--device", "cpu", *art]
    assert succeed("snac_cache.cli.cache", *options, stdin=kept)["rows"] == 3


def test_a_manifest_passes_through_a_shell_pipe(tmp_path: Path, model_folder: Path) -> None:
    """With a real shell, and tools that know nothing of us in between."""
    for name in ("keep-1", "keep-2", "keep-3", "leave-4"):
        write_tone(tmp_path / "in" / f"{name}.wav", 1.1)
    scanned, chosen = tmp_path / "scanned", tmp_path / "chosen"
    os.mkfifo(scanned)
    os.mkfifo(chosen)
    art = ["--artifacts", tmp_path / "art"]
    options = ["--manifest", "-", "--model", model_folder, "--device", "cpu", "--workers", 1, *art]
    log = tmp_path / "log"
    started = [
        killing.start(
            MANIFEST,
            [tmp_path / "in", "-o", "-", "--val-ratio", 0, *art],
            log=log,
            surroundings=Surroundings(stdout=scanned),
        ),
        killing.start(CACHE, options, log=log, surroundings=Surroundings(stdin=chosen)),
    ]
    line = f"grep keep < '{scanned}' | shuf -n 2 > '{chosen}'"
    subprocess.run(["bash", "-c", f"set -o pipefail; {line}"], check=True)
    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0, 0], log.read_text()
    assert json.loads(log.read_text().splitlines()[-1])["rows"] == 2
    parts = (tmp_path / "art" / "codes" / "train").glob("*.parquet")
    cached = [name for part in parts for name in pq.read_table(part)["utterance_id"].to_pylist()]
    assert len(cached) == 2
    assert all(name.startswith("in/keep") for name in cached)


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
    assert ids(tmp_path, "train") == ["in/1.0", "in/2.0"]
    assert found["rejects"] == {"too_short": 1, "too_long": 1}
    details = pq.read_table(tmp_path / "rejects.parquet")["detail"].to_pylist()
    assert "2.100 s, longer than --max-duration 2" in details


def test_a_limit_lists_the_utterances_that_other_commands_take(tmp_path: Path) -> None:
    for number in range(6):
        write_tone(tmp_path / f"speech/train/{number}.wav", 1.0)
        write_tone(tmp_path / f"speech/val/{number}.wav", 1.0)
    places = ["--artifacts", tmp_path / "whole"], ["--artifacts", tmp_path / "few"]
    succeed(MANIFEST, tmp_path / "speech", *places[0])
    few = succeed(MANIFEST, tmp_path / "speech", *places[1], "--limit", 2, "--val-limit", 3)
    assert (few["train"], few["val"], few["rejects"]) == (2, 3, {})
    whole, listed = (read_manifest(str(tmp_path / name / "manifests")) for name in ("whole", "few"))
    assert listed["train"].equals(sample(whole["train"], 2))
    assert listed["val"].equals(sample(whole["val"], 3))


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
    options = ["-o", tmp_path, "--val-ratio", 0.5, "--group-by", "^in/(.)/"]
    result = run(MANIFEST, tmp_path / "in", *options)
    assert result.exit_code == 0
    assert "--group-by found nothing in 1 ids" in result.stderr
    speakers = [{name[3] for name in ids(tmp_path, split)} for split in ("train", "val")]
    assert speakers[0]
    assert speakers[1]
    assert not speakers[0] & (speakers[1] - {"a"})  # "alone" is a group of its own


def test_a_source_with_its_own_splits_keeps_them_and_says_so(tmp_path: Path) -> None:
    for name in ("train/a/1", "val/a/2"):
        write_tone(tmp_path / "in" / f"{name}.wav", 1.1)
    result = run(MANIFEST, tmp_path / "in", "-o", tmp_path, "--group-by", "/(.)/")
    assert result.exit_code == 0
    assert "keeps its own splits: --group-by does not apply to it" in result.stderr
    assert ids(tmp_path, "val") == ["in/val/a/2"]


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
    with pytest.raises(Failure, match="'in/a' more than once"):
        read_manifest(tmp_path / "lines.jsonl")


@pytest.mark.parametrize("source", ["missing", "empty"])
def test_a_source_without_audio_is_a_usage_error(tmp_path: Path, source: str) -> None:
    (tmp_path / "empty").mkdir()
    result = run(MANIFEST, tmp_path / source, "--artifacts", tmp_path)
    assert result.exit_code == 2
    assert source in result.stderr
    assert not list(tmp_path.rglob("*.parquet"))


# a lone surrogate is no file's name, but for those that stand for bytes that are no UTF-8
NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)


@given(NAMES, st.floats(0, 1))
def test_the_hash_split_depends_on_the_path_in_the_source_alone(name: str, ratio: float) -> None:
    place = Path(name)
    expected = "val" if hash_fraction(place.as_posix()) < ratio else "train"
    rule = SplitRule({}, ratio)
    for source in ("one", "two"):
        assert rule.split(place, rule.hashed(place, f"{source}/{name}")) == expected
    assert 0 <= hash_fraction(name) < 1


def test_another_source_changes_no_id_and_no_split_of_the_first(tmp_path: Path) -> None:
    for number in range(40):
        write_tone(tmp_path / "first" / f"{number}.wav", 1.1)
    write_tone(tmp_path / "second" / "0.wav", 1.1)
    splits = []
    for sources in ([tmp_path / "first"], [tmp_path / "second", tmp_path / "first"]):
        succeed(MANIFEST, *sources, "-o", tmp_path, "--val-ratio", 0.4)
        splits.append({name: s for s in ("train", "val") for name in ids(tmp_path, s)})
    assert splits[1] == {**splits[0], "second/0": splits[1]["second/0"]}
    assert set(splits[0].values()) == {"train", "val"}


def test_two_sources_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("a/wav", "b/wav"):
        write_tone(tmp_path / folder / "x.wav", 1.1)
    result = run(MANIFEST, tmp_path / "a" / "wav", tmp_path / "b" / "wav", "-o", tmp_path)
    assert result.exit_code == 2
    assert "two sources are called 'wav'" in result.stderr


def listing_that_fails(monkeypatch: pytest.MonkeyPatch, folder: Path, error: int) -> None:
    """Have the system refuse to list a folder; the tests may run as root, who may all."""
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if Path(path) == folder:
            raise OSError(error, os.strerror(error), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


def test_a_folder_that_a_disk_fails_to_list_stops_the_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ann/1", "bob/2"):
        write_tone(tmp_path / "in" / f"{name}.wav", 1.1)
    listing_that_fails(monkeypatch, tmp_path / "in" / "bob", errno.ESTALE)
    result = run(MANIFEST, tmp_path / "in", "-o", tmp_path / "out", "--val-ratio", 0)
    assert result.exit_code == 1
    assert f"the folder {tmp_path}/in/bob cannot be listed" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--max-reject-rate", "--val-ratio"])
def test_a_share_is_a_number(tmp_path: Path, option: str) -> None:
    """NaN is neither below nor above a limit, so nothing would be too much."""
    refused = run(MANIFEST, tmp_path, option, "nan")
    assert (refused.exit_code, "no finite number" in refused.stderr) == (2, True)


def test_a_file_does_not_take_its_folders_place(tmp_path: Path) -> None:
    for name in ("1", "2"):
        write_tone(tmp_path / "in" / f"{name}.wav", 1.1)
    place = ["-o", tmp_path / "out", "--val-ratio", 0]
    succeed(MANIFEST, tmp_path / "in/1.wav", *place)
    succeed(MANIFEST, tmp_path / "in/1.wav", *place)
    succeed(MANIFEST, tmp_path / "in", *place)
    refused = run(MANIFEST, tmp_path / "in/1.wav", *place)
    assert (refused.exit_code, "--overwrite to replace them" in refused.stderr) == (2, True)


def test_a_forbidden_folder_is_a_reject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ann/1", "bob/2"):
        write_tone(tmp_path / "in" / f"{name}.wav", 1.1)
    listing_that_fails(monkeypatch, tmp_path / "in" / "bob", errno.EACCES)
    result = run(MANIFEST, tmp_path / "in", "-o", tmp_path / "out", "--val-ratio", 0)
    assert result.exit_code == 1  # one of two is more than 5 percent
    rows = query(f"SELECT utterance_id, reason FROM '{tmp_path}/out/rejects.parquet'")
    assert rows == [("in/bob", "unreadable")]


def write_query(sql: str, path: Path) -> None:
    """Write the rows of a query as parquet."""
    duckdb.execute(f"COPY ({sql}) TO '{path}' (FORMAT parquet)")


OWN = """SELECT 'a' AS utterance_id, {split} AS split, '/a.wav' AS audio_path,
    {rate} AS source_sample_rate, 48000 AS num_frames"""


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
@pytest.mark.parametrize(
    ("query", "message"),
    [
        (OWN.format(split="'test'", rate=48000), "'test'"),
        (OWN.format(split="NULL", rate=48000), "split"),
        (OWN.format(split="'train'", rate=0), "source_sample_rate is not above 0"),
        (OWN.format(split="'train'", rate="'fast'"), "source_sample_rate"),
        (OWN.format(split="'train'", rate=48000) + ", 1 AS num_samples", "num_samples"),
        ("SELECT 'a' AS utterance_id", "it lacks split, audio_path"),
    ],
)
def test_a_manifest_made_with_sql_is_checked_in_either_form(
    tmp_path: Path, form: str, query: str, message: str
) -> None:
    path = tmp_path / f"own.{form}"
    write_query(query, tmp_path / "own.parquet")
    if form == "jsonl":
        rows = pq.read_table(tmp_path / "own.parquet").to_pylist()
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(Failure, match=message):
        read_manifest(path)


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_columns_of_ones_own_come_along_and_others_are_filled_in(tmp_path: Path, form: str) -> None:
    own = OWN.format(split="'val'", rate=24000)
    write_query(f"{own}, 'hello' AS text, [1, 2] AS marks", tmp_path / "own.parquet")
    if form == "jsonl":
        rows = pq.read_table(tmp_path / "own.parquet").to_pylist()
        (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (row,) = read_manifest(tmp_path / f"own.{form}")["val"].to_pylist()
    assert (row["text"], row["marks"]) == ("hello", [1, 2])
    assert (row["duration_s"], row["channels"], row["target_path"]) == (2.0, None, None)
    assert list(row)[: len(MANIFEST_COLUMNS.names)] == MANIFEST_COLUMNS.names


def last_byte(path: Path, column: str) -> int:
    """Return where the last byte of a column's pages lies in a parquet file."""
    with pq.ParquetFile(path) as file:
        chunk = file.metadata.row_group(0).column(file.schema_arrow.names.index(column))
    start: int = chunk.dictionary_page_offset or chunk.data_page_offset
    return start + int(chunk.total_compressed_size) - 1


def test_a_flipped_bit_in_a_manifest_is_an_error(tmp_path: Path) -> None:
    write_tone(tmp_path / "in" / "a.wav", 1.1)
    succeed(MANIFEST, tmp_path / "in", "-o", tmp_path, "--val-ratio", 0)
    whole = (tmp_path / "train.parquet").read_bytes()
    for column in ("utterance_id", "audio_path", "num_frames"):
        damaged = bytearray(whole)
        damaged[last_byte(tmp_path / "train.parquet", column)] ^= 1
        (tmp_path / "train.parquet").write_bytes(damaged)
        with pytest.raises(Failure, match=r"train\.parquet"):
            read_manifest(tmp_path)


def test_a_limit_takes_rows_of_all_speakers_and_a_larger_one_adds_to_them() -> None:
    names = [f"{speaker}/{number}" for speaker in "abcd" for number in range(50)]
    rows = pa.table({"utterance_id": names})
    chosen = [sample(rows, limit)["utterance_id"].to_pylist() for limit in (20, 40, None)]
    assert {name[0] for name in chosen[0]} == set("abcd")
    assert set(chosen[0]) < set(chosen[1])
    assert chosen[0] == sorted(chosen[0], key=names.index)
    assert chosen[2] == names


@pytest.mark.parametrize("option", [("--workers", 0), ("--val-ratio", 5)])
def test_impossible_options_are_usage_errors(tmp_path: Path, option: tuple[str, int]) -> None:
    assert run(MANIFEST, tmp_path, *option).exit_code == 2


def test_the_hash_never_changes() -> None:
    """Golden values: with another hash, a larger data set would move utterances between splits."""
    assert hash_fraction("speaker/utterance") == pytest.approx(GOLDEN, abs=1e-12)
    share = sum(hash_fraction(f"u{i}") < 0.05 for i in range(20_000)) / 20_000
    assert share == pytest.approx(0.05, abs=0.005)


GOLDEN = 0.07394657599476369


def test_a_split_without_files_for_validation_gets_one(tmp_path: Path) -> None:
    """The lowest hash of all, whatever the share: half of two files were none, too."""
    for count in (1, 2, 8):
        write_tone(tmp_path / "in" / f"{count}.wav", 1.1)
    for names in (["8"], ["2", "8"], ["1", "2", "8"]):
        for path in (tmp_path / "in").glob("*.wav"):
            path.rename(path.with_suffix(".wav" if path.stem in names else ".txt"))
        for path in (tmp_path / "in").glob("*.txt"):
            path.rename(path.with_suffix(".wav" if path.stem in names else ".txt"))
        result = run(MANIFEST, tmp_path / "in", "-o", tmp_path / "out", "--val-ratio", 1e-9)
        assert result.exit_code == 0, result.stderr
        lowest = min(names, key=hash_fraction)
        expected = [f"in/{lowest}"] if len(names) > 1 else []
        assert ids(tmp_path / "out", "val") == expected
        assert ids(tmp_path / "out", "train") == [
            f"in/{n}" for n in names if f"in/{n}" not in expected
        ]
        assert ("none is for validation" in result.stderr) == (not expected)


def test_a_whole_group_is_for_validation_where_none_is(tmp_path: Path) -> None:
    for name in ("ann/1", "ann/2", "bob/1"):
        write_tone(tmp_path / "in" / f"{name}.wav", 1.1)
    options = ["-o", tmp_path, "--val-ratio", 1e-9, "--group-by", "^in/(...)/"]
    assert succeed(MANIFEST, tmp_path / "in", *options)["val"] in (1, 2)
    assert {name[3:6] for name in ids(tmp_path, "val")} in ({"ann"}, {"bob"})
    assert not {name[3:6] for name in ids(tmp_path, "val")} & {
        n[3:6] for n in ids(tmp_path, "train")
    }
    result = run(MANIFEST, tmp_path / "in", "-o", tmp_path, "--val-ratio", 1e-9, "--group-by", "in")
    assert (result.exit_code, ids(tmp_path, "val")) == (0, [])  # one group: train must not be empty
    assert "none is for validation" in result.stderr


def test_no_files_for_validation_may_be_asked_for_and_is_said(tmp_path: Path) -> None:
    for name in "abc":
        write_tone(tmp_path / "in" / f"{name}.wav", 1.1)
    result = run(MANIFEST, tmp_path / "in", "-o", tmp_path, "--val-ratio", 0)
    assert (result.exit_code, len(ids(tmp_path, "train"))) == (0, 3)
    assert "none is for validation" in result.stderr


def test_folders_may_be_told_to_be_train_and_val(tmp_path: Path) -> None:
    for name in ("x/audio/train/1", "x/audio/2", "y/audio/1", "z/more/3"):
        write_tone(tmp_path / f"{name}.wav", 1.1)
    folders = ["--train", tmp_path / "x/audio", "--val", tmp_path / "y/audio"]
    succeed(MANIFEST, *folders, "--train", tmp_path / "z/more", "-o", tmp_path)
    assert ids(tmp_path, "train") == ["train/audio/2", "train/audio/train/1", "more/3"]
    assert ids(tmp_path, "val") == ["val/audio/1"]  # both are called audio: so ids say which
    result = run(MANIFEST, "-o", tmp_path)
    assert result.exit_code == 2
    assert "--train" in result.stderr
    twice = ["--train", tmp_path / "x/audio", "--train", tmp_path / "y/audio"]
    result = run(MANIFEST, *twice, "-o", tmp_path)
    assert (result.exit_code, "are called 'audio'" in result.stderr) == (2, True)


@pytest.mark.parametrize("ending", ["m4a", "M4A", "aac", "mp4"])
def test_audio_that_cannot_be_read_is_a_reject_that_says_how_to_convert_it(
    tmp_path: Path, ending: str
) -> None:
    write_tone(tmp_path / "in" / "a.wav", 1.1)
    (tmp_path / "in" / f"b.{ending}").write_bytes(b"....ftypM4A ")
    (tmp_path / "in" / f"a.{ending}").write_bytes(b"....ftypM4A ")  # a.wav was made of it
    (tmp_path / "in" / "notes.txt").touch()
    limit = ["--val-ratio", 0, "--max-reject-rate", 1]
    found = succeed(MANIFEST, tmp_path / "in", "-o", tmp_path, *limit)
    assert found["rejects"] == {"unsupported_format": 1}
    ((name, detail),) = query(f"SELECT utterance_id, detail FROM '{tmp_path}/rejects.parquet'")
    assert name == f"in/b.{ending}"
    assert f"ffmpeg -i b.{ending} b.flac" in detail


def test_a_folder_of_nothing_readable_says_what_would_be(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "phone").mkdir()
    (tmp_path / "phone" / "b.m4a").touch()
    for source in ("empty", "phone"):
        result = run(MANIFEST, tmp_path / source, "-o", tmp_path)
        assert result.exit_code == 2
        assert ".wav, .flac, .ogg" in result.stderr
        assert ("1 file of another format (.m4a)" in result.stderr) == (source == "phone")
        assert ("ffmpeg" in result.stderr) == (source == "phone")
    assert not list(tmp_path.rglob("*.parquet"))


def test_speech_at_48_khz_beside_itself_is_targets_and_no_more_speech(tmp_path: Path) -> None:
    """Earlier corpora have train/audio and train/audio_48khz under one root."""
    for split in ("train", "valid"):
        for name in ("1", "deep/2"):
            write_tone(tmp_path / "in" / split / "audio" / f"{name}.wav", 1.1, 24_000)
            write_tone(tmp_path / "in" / split / "audio_48khz" / f"{name}.flac", 1.1)
    result = run(MANIFEST, tmp_path / "in", "-o", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert ids(tmp_path, "train") == ["in/train/audio/1", "in/train/audio/deep/2"]
    assert ids(tmp_path, "val") == ["in/valid/audio/1", "in/valid/audio/deep/2"]
    folders = [f"{tmp_path}/in/{split}/audio_48khz" for split in ("train", "valid")]
    assert json.loads(result.stdout)["target_folders"] == folders
    assert f"snac-upsample --engine files --from {folders[0]} --from {folders[1]}" in result.stderr


@pytest.mark.parametrize(
    ("sources", "other"),
    [
        (["audio", "audio_48khz"], None),
        (["."], None),
        (["."], "audio_48k"),
        (["."], "audio-48000hz"),
        (["."], "Audio48"),
    ],
)
def test_each_name_of_a_folder_of_targets(
    tmp_path: Path, sources: list[str], other: str | None
) -> None:
    for name in "ab":
        write_tone(tmp_path / "in" / "audio" / f"{name}.wav", 1.1, 24_000)
        write_tone(tmp_path / "in" / (other or "audio_48khz") / f"{name}.wav", 1.1)
    given = [tmp_path / "in" / source for source in sources]
    found = succeed(MANIFEST, *given, "-o", tmp_path, "--val-ratio", 0)
    assert (found["train"], len(found["target_folders"])) == (2, 1)


@pytest.mark.parametrize("names", [("48khz", "24khz"), ("wav48", "wav16"), ("x_48k", "x_24k")])
def test_folders_may_each_be_named_by_their_rate(tmp_path: Path, names: tuple[str, str]) -> None:
    write_tone(tmp_path / "in" / names[0] / "a.wav", 1.1)
    write_tone(tmp_path / "in" / names[1] / "a.wav", 1.1, 24_000)
    assert succeed(MANIFEST, tmp_path / "in", "-o", tmp_path, "--val-ratio", 0)["train"] == 1


@pytest.mark.parametrize("names", [("ann", "bob"), ("audio", "audio_48khz"), ("room4", "room48")])
def test_other_speech_beside_it_is_speech(tmp_path: Path, names: tuple[str, str]) -> None:
    """Equal file names alone are two speakers', and a name alone is other speech at 48 kHz."""
    same_files = names[0] == "ann"
    for number in range(3):
        write_tone(tmp_path / "in" / names[0] / f"{number}.wav", 1.1)
        write_tone(tmp_path / "in" / names[1] / f"{number if same_files else number + 3}.wav", 1.1)
    found = succeed(MANIFEST, tmp_path / "in", "-o", tmp_path, "--val-ratio", 0)
    assert (found["train"], found["target_folders"]) == (6, [])


def test_a_folder_of_targets_that_is_asked_for_is_scanned(tmp_path: Path) -> None:
    for name in ("audio", "audio_48khz"):
        write_tone(tmp_path / "in" / name / "a.wav", 1.1)
    succeed(MANIFEST, tmp_path / "in" / "audio_48khz", "-o", tmp_path, "--val-ratio", 0)
    assert ids(tmp_path, "train") == ["audio_48khz/a"]


def corpus(folder: Path, *names: str) -> Path:
    """Write a corpus of these files."""
    for name in names:
        write_tone(folder / f"{name}.wav", 1.1)
    return folder


def test_the_manifests_of_another_corpus_are_not_replaced_in_silence(tmp_path: Path) -> None:
    first, second = corpus(tmp_path / "a/first", "1", "2"), corpus(tmp_path / "second", "3")
    options = ["--artifacts", tmp_path / "art", "--val-ratio", 0]
    succeed(MANIFEST, first, *options)
    before = (tmp_path / "art/manifests/train.parquet").read_bytes()
    result = run(MANIFEST, second, *options)
    assert result.exit_code == 2
    assert "--overwrite" in result.stderr
    assert "first" in result.stderr
    assert (tmp_path / "art/manifests/train.parquet").read_bytes() == before
    same_name = run(MANIFEST, corpus(tmp_path / "b/first", "8", "9"), *options)
    assert (same_name.exit_code, "--overwrite" in same_name.stderr) == (2, True)
    assert succeed(MANIFEST, second, *options, "--overwrite")["train"] == 1


def test_the_manifests_of_the_same_corpus_are_replaced(tmp_path: Path) -> None:
    first = corpus(tmp_path / "a/first", "1", "2")
    options = ["--artifacts", tmp_path / "art", "--val-ratio", 0]
    succeed(MANIFEST, first, *options)
    corpus(first, "new")
    assert succeed(MANIFEST, first, corpus(tmp_path / "other", "3"), *options)["train"] == 4
    moved = first.rename(tmp_path / "first")
    assert succeed(MANIFEST, tmp_path / "other", moved, *options)["train"] == 4
    manifest = tmp_path / "art/manifests/train.parquet"
    table = pq.read_table(manifest)
    pq.write_table(table.append_column("text", pa.array(["words"] * 4)), manifest)
    result = run(MANIFEST, tmp_path / "other", moved, *options)
    assert result.exit_code == 2
    assert "text" in result.stderr
