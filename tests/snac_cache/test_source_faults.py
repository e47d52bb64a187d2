"""What is wrong with a corpus: each fault is a reject with its reason, and the rest is taken."""

import gzip
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import corpora
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpora import RATE, Utterance, utterances, write_files, write_lines, write_long, write_tar
from workplace import run, succeed

MANIFEST = "snac_cache.cli.manifest"
SOME = utterances(6)
FLAC = SOME[0].flac


def scan(source: Path, *options: object) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Scan a source; return its rows and its rejects."""
    out = source.parent / "made"
    succeed(MANIFEST, source, "-o", out, "--max-reject-rate", 1, *options)
    tables = [pq.read_table(out / f"{split}.parquet") for split in ("train", "val")]
    rejects: list[dict[str, Any]] = pq.read_table(out / "rejects.parquet").to_pylist()
    return pa.concat_tables(tables, promote_options="default").to_pylist(), rejects


def reasons(source: Path, *options: object, good: int) -> list[str]:
    """Return the reasons of all rejects; ``good`` rows must have been taken."""
    rows, rejects = scan(source, *options)
    assert len(rows) == good
    assert all(reject["detail"] and reject["audio_path"] for reject in rejects)
    return sorted(reject["reason"] for reject in rejects)


def with_json(some: list[Utterance]) -> list[tuple[str, bytes]]:
    """Return the members of a tar."""
    said = [(one, json.dumps({"text": one.text}).encode()) for one in some]
    return [
        m
        for one, text in said
        for m in ((f"{one.name}.flac", one.flac), (f"{one.name}.json", text))
    ]


def test_a_tar_that_ends_within_a_file(tmp_path: Path) -> None:
    path = tmp_path / "in" / "a.tar"
    write_tar(path, [(f"{one.name}.flac", one.flac) for one in SOME])
    with tarfile.open(path) as tar:
        last = tar.getmembers()[-1]
    os.truncate(path, last.offset_data + 1000)
    assert reasons(path.parent, good=5) == ["torn_tar"]
    for size in (last.offset + 100, last.offset):
        os.truncate(path, size)
        assert reasons(path.parent, good=5) == ["torn_tar"]


@pytest.mark.parametrize("how", ["a header's bytes flipped", "something after its end"])
def test_a_tar_with_more_in_it_than_can_be_read(tmp_path: Path, how: str) -> None:
    path = tmp_path / "in" / "a.tar"
    write_tar(path, [(f"{one.name}.flac", one.flac) for one in SOME])
    with tarfile.open(path) as tar:
        third = tar.getmembers()[3]
    content = bytearray(path.read_bytes())
    if how == "something after its end":
        path.write_bytes(content + content)
        assert reasons(path.parent, good=6) == ["torn_tar"]
    else:
        content[third.offset : third.offset + 3] = b"xyz"
        path.write_bytes(content)
        assert reasons(path.parent, good=3) == ["torn_tar"]


MEMBERS: dict[str, list[tuple[str, bytes]]] = {
    "duplicate_key": [("u000.flac", FLAC)],
    "no_sidecar": [("alone.flac", FLAC)],
    "bad_sidecar": [("bad.flac", FLAC), ("bad.json", b"{")],
    "no_audio": [("silent.json", b"{}")],
    "several_audios": [("two.flac", FLAC), ("two.wav", FLAC), ("two.json", b"{}")],
    "unsupported_format": [("phone.m4a", b"?"), ("phone.json", b"{}")],
    "unreadable": [("noise.flac", b"no audio" * 100), ("noise.json", b"{}")],
    "empty": [("empty.flac", b""), ("empty.json", b"{}")],
}


@pytest.mark.parametrize("reason", MEMBERS)
def test_a_fault_in_a_tar(tmp_path: Path, reason: str) -> None:
    write_tar(tmp_path / "in" / "a.tar", [*with_json(SOME), *MEMBERS[reason]])
    assert reasons(tmp_path / "in", good=6) == [reason]


def test_sidecars_that_are_no_text_are_bad(tmp_path: Path) -> None:
    more = [("bad.flac", FLAC), ("bad.json", b"[1]"), ("worse.flac", FLAC), ("worse.txt", b"\xff")]
    write_tar(tmp_path / "in" / "a.tar", [*with_json(SOME), *more])
    assert reasons(tmp_path / "in", good=6) == ["bad_sidecar"] * 2


def test_links_compressed_tars_and_what_lies_beside_tars(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write_tar(folder / "a.tar", with_json(SOME))
    with tarfile.open(folder / "a.tar", "a") as tar:
        info = tarfile.TarInfo("link.flac")
        info.type, info.linkname = tarfile.SYMTYPE, "u000.flac"
        tar.addfile(info)
    (folder / "b.tar.gz").write_bytes(gzip.compress((folder / "a.tar").read_bytes()))
    write_files(folder / "zzz", SOME[:1])
    found = reasons(folder, "--format", "webdataset", good=6)
    assert found == ["compressed_tar", "no_file", "other_format"]


def test_a_tar_without_any_text_needs_none(tmp_path: Path) -> None:
    write_tar(tmp_path / "in" / "a.tar", [(f"x/{one.name}.flac", one.flac) for one in SOME])
    rows, rejects = scan(tmp_path / "in", "--val-ratio", 0)
    assert ([row["utterance_id"] for row in rows], rejects) == (
        [f"in/a/x/{one.name}" for one in SOME],
        [],
    )


def test_text_beside_audio_is_text(tmp_path: Path) -> None:
    members = [
        m for one in SOME for m in ((f"{one.name}.flac", one.flac), (f"{one.name}.txt", b" hi\n"))
    ]
    write_tar(tmp_path / "in" / "a.tar", members)
    assert {row["text"] for row in scan(tmp_path / "in")[0]} == {"hi"}


def test_columns_that_the_manifest_has_itself_get_another_name(tmp_path: Path) -> None:
    said = {"text": "x", "speaker": 7, "num_frames": 1, "codes_0": [1], "dnsmos": 3, "split": "b"}
    more = [("a.json", said), ("b.json", {**said, "dnsmos": "good", "wide": {"deep": [None]}})]
    members = [(name.replace("json", "flac"), FLAC) for name, _ in more]
    write_tar(
        tmp_path / "in" / "a.tar",
        sorted([*members, *((name, json.dumps(said).encode()) for name, said in more)]),
    )
    first, second = scan(tmp_path / "in", "--val-ratio", 0)[0]
    assert (first["speaker"], first["source_num_frames"], first["num_frames"]) == ("7", 1, 24000)
    assert (first["source_codes_0"], first["source_split"], first["split"]) == ("[1]", "b", "train")
    assert (first["dnsmos"], second["dnsmos"], first["wide"]) == ("3", "good", None)
    assert second["wide"] == '{"deep": [null]}'


def test_faults_in_parquet(tmp_path: Path) -> None:
    folder = corpora.parquet(tmp_path / "in", SOME)
    rows = [{"audio": {"bytes": content, "path": "x"}} for content in (None, b"", b"?" * 99)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "z.parquet")
    whole = (folder / "z.parquet").read_bytes()
    (folder / "zz.parquet").write_bytes(whole[:-20])
    assert reasons(folder, good=6) == ["empty", "empty", "torn_parquet", "unreadable"]


def test_parquet_without_audio_is_an_error_that_names_what_it_has(tmp_path: Path) -> None:
    pq.write_table(pa.table({"sentence": ["a"], "sound": [b"?"]}), tmp_path / "a.parquet")
    result = run(MANIFEST, tmp_path / "a.parquet", "-o", tmp_path)
    assert (result.exit_code, "has sentence, sound: say which it is" in result.stderr) == (2, True)
    result = run(MANIFEST, tmp_path / "a.parquet", "-o", tmp_path, "--column", "audio=none")
    assert (result.exit_code, "sentence, sound" in result.stderr) == (2, True)


def test_faults_in_a_kaldi_folder(tmp_path: Path) -> None:
    folder = corpora.kaldi(tmp_path / "in", SOME)
    wavs = ["long audio/long.flac", "pipe sph2pipe -f wav a.sph |", "none audio/none.flac"]
    wavs += ["unused audio/long.flac", "long audio/long.flac", "ark raw.ark:1234"]
    write_lines(folder / "wav.scp", wavs)
    segments = [
        "late long 1.0 99",
        "later long 98 99",
        "back long 2 1",
        "word long 1 x",
        "few long",
    ]
    segments += ["lost nowhere 0 1", "piped pipe 0 2", "gone none 0 2", "right long 0 2 1"]
    segments += ["packed ark 0 2", "mute long 0 2", "u000 long 0 2"]
    lines = (folder / "segments").read_text().splitlines()
    write_lines(folder / "segments", [*lines, *segments])
    texts = [f"{line.split()[0]} said" for line in segments if line[:4] not in ("mute", "u000")]
    write_lines(folder / "text", [*(folder / "text").read_text().splitlines(), *texts])
    rows, rejects = scan(folder)
    assert len(rows) == 6
    found = {reject["utterance_id"].removeprefix("in/"): reject["reason"] for reject in rejects}
    assert found == {
        **{"late": "beyond_end", "later": "beyond_end"},
        **dict.fromkeys(("back", "word", "few"), "bad_segment"),
        **{"lost": "no_recording", "piped": "pipe", "gone": "unreadable", "right": "one_channel"},
        **{"packed": "unsupported_format", "mute": "no_text", "u000": "duplicate_id"},
        **{"unused": "no_segments", "long": "duplicate_key"},
    }
    assert len(rejects) == len(found)


def test_times_that_are_rounded_are_not_beyond_the_end(tmp_path: Path) -> None:
    write_long(tmp_path / "in" / "long.flac", SOME)
    seconds = sum(one.seconds for one in SOME)
    rows = [(0, seconds + 0.004), (0, seconds - 0.004), (1.0, seconds + 0.09), (1.0, seconds + 0.2)]
    lines = [{"audio_filepath": "long.flac", "offset": a, "duration": b - a} for a, b in rows]
    write_lines(tmp_path / "in" / "m.json", lines)
    found, rejects = scan(tmp_path / "in" / "m.json", "--val-ratio", 0)
    assert [(row["num_frames"], "?" in row["audio_path"]) for row in found] == [
        (round(seconds * RATE), False),
        (round((seconds - 1.0) * RATE), True),
    ]
    assert sorted(reject["reason"] for reject in rejects) == ["beyond_end", "duplicate_id"]


def test_faults_in_tables(tmp_path: Path) -> None:
    path = corpora.csv_table(tmp_path / "in", SOME)
    path.write_text(path.read_text() + "one,two\n,b,c\naudio/none.flac,b,c\naudio/u000.flac,b,c\n")
    assert reasons(path, good=6) == ["bad_line", "duplicate_id", "no_audio", "unreadable"]
    write_lines(tmp_path / "in" / "t.jsonl", ['{"path": "audio/u001.flac"}', "{", "[]", "{}"])
    assert reasons(tmp_path / "in" / "t.jsonl", good=1) == ["bad_line", "bad_line", "no_audio"]
    path.write_bytes(b"path,text\n\xff\xfe")
    assert run(MANIFEST, path, "-o", tmp_path / "made", "--overwrite").exit_code == 2
    path.write_text("sentence,speaker\na,b\n")
    result = run(MANIFEST, path, "-o", tmp_path / "made", "--overwrite")
    assert (result.exit_code, "It has sentence, speaker" in result.stderr) == (2, True)


def test_faults_in_tarred_manifests(tmp_path: Path) -> None:
    path = corpora.nemo_tarred(tmp_path / "in", SOME)
    more = [{"audio_filepath": "none.flac", "duration": 1, "shard_id": 0}]
    more += [{"audio_filepath": "u000.flac", "duration": 1, "shard_id": 7}]
    more += [
        {"audio_filepath": f"u001-sub{n}.flac", "offset": 0.25 * n, "duration": 0.5, "shard_id": 0}
        for n in (1, 2)
    ]
    write_lines(path, [*path.read_text().splitlines(), *more])
    short = ("--min-duration", 0.1)
    assert reasons(path, *short, good=8) == ["no_audio", "no_audio"]
    tar = tmp_path / "in" / "audio_0.tar"
    os.truncate(tar, tar.stat().st_size // 2)
    rows, rejects = scan(path, *short)
    assert len(rows) + len(rejects) == 11
    assert {reject["reason"] for reject in rejects} == {"torn_tar", "no_audio"}


CUTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "unsupported_cut": lambda cut: cut.update(type="MixedCut"),
    "no_recording": lambda cut: cut.pop("recording"),
    "transformed": lambda cut: cut["recording"].update(transforms=[{"name": "Speed"}]),
    "one_channel": lambda cut: cut["recording"]["sources"][0].update(channels=[0, 1]),
    "pipe": lambda cut: cut["recording"]["sources"][0].update(type="command"),
    "unsupported_source": lambda cut: cut["recording"]["sources"][0].update(type="url"),
    "beyond_end": lambda cut: cut.update(start=99.0),
    "bad_line": lambda cut: cut.update(start="soon"),
}


@pytest.mark.parametrize("reason", CUTS)
def test_a_fault_in_cuts(tmp_path: Path, reason: str) -> None:
    path = corpora.cuts(tmp_path / "in", SOME)
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    CUTS[reason](rows[2])
    write_lines(path, rows)
    assert reasons(path, good=5) == [reason]


def test_faults_in_a_shar(tmp_path: Path) -> None:
    folder = corpora.shar(tmp_path / "in", SOME)
    cuts, tar = folder / "cuts.000000.jsonl.gz", folder / "recording.000000.tar"
    lines = gzip.decompress(cuts.read_bytes()).decode().splitlines()
    write_lines(cuts, lines[1:])
    assert reasons(folder, good=5) == ["no_cut"]
    write_lines(cuts, lines)
    write_tar(tar, [("u000.nodata", b""), *((f"{o.name}.flac", o.flac) for o in SOME[1:5])])
    assert reasons(folder, good=4) == ["no_audio"] * 2
    tar.with_name(f"{tar.name}.gz").write_bytes(gzip.compress(tar.read_bytes()))
    tar.unlink()
    assert reasons(folder, good=0) == ["compressed_tar", *["no_audio"] * 6]


def test_splits_are_those_that_the_source_tells(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, one in zip(("train-0", "validation-0", "test-0"), SOME, strict=False):
        rows = [{"audio": {"bytes": one.flac, "path": None}}]
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
    rows, rejects = scan(folder)
    assert [row["split"] for row in rows] == ["train", "val"]
    assert [reject["reason"] for reject in rejects] == ["outside_splits"]
    write_files(folder / "audio", SOME)
    said = [
        {"path": f"audio/{one.name}", "split": name}
        for one, name in zip(SOME, ("train", "dev", "test", "train"), strict=False)
    ]
    write_lines(folder / "t.jsonl", said)
    rows, rejects = scan(folder / "t.jsonl")
    assert [row["split"] for row in rows] == ["train", "train", "val"]
    assert [reject["reason"] for reject in rejects] == ["outside_splits"]


def test_folders_of_tars_keep_their_splits(tmp_path: Path) -> None:
    for split, some in (("train", SOME[:4]), ("dev", SOME[4:])):
        write_tar(tmp_path / "in" / split / "0.tar", with_json(some))
    rows, _ = scan(tmp_path / "in")
    assert [(row["utterance_id"], row["split"]) for row in rows] == [
        *((f"in/train/0/{one.name}", "train") for one in SOME[:4]),
        *((f"in/dev/0/{one.name}", "val") for one in SOME[4:]),
    ]


def test_a_name_that_looks_like_a_place_is_a_files(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a?o=0&e=99.flac").write_bytes(FLAC)
    (tmp_path / "in" / "b.flac").write_bytes(FLAC)
    write_tar(tmp_path / "in" / "a.tar", [("x", io.BytesIO(FLAC).read())])
    assert reasons(tmp_path / "in", good=2) == ["other_format"]  # the tar itself


def test_ljspeech_is_understood(tmp_path: Path) -> None:
    write_files(tmp_path / "in" / "wavs", SOME)
    lines = [f"{one.name}|{one.text}|{one.text.upper()}" for one in SOME]
    write_lines(tmp_path / "in" / "metadata.csv", lines)
    rows, rejects = scan(tmp_path / "in" / "metadata.csv")
    assert ({row["text"] for row in rows}, rejects) == ({one.text for one in SOME}, [])
    assert rows[0]["utterance_id"].startswith("in/wavs/u00")
    assert rows[0]["text_normalized"] == rows[0]["text"].upper()


def test_halves_of_characters_and_numbers_beyond_64_bits_are_taken(tmp_path: Path) -> None:
    write_files(tmp_path / "in", SOME)
    lines = [
        '{"path": "u000.flac", "id": "\\ud800", "text": "a\\ud800", "n": 99999999999999999999}',
        '{"path": "u001.flac", "id": "", "text": {"a": 1}, "n": 1}',
        '{"path": "\\ud800.flac", "text": "?"}',
        '{"path": ["u002.flac"], "duration": {}}',
    ]
    write_lines(tmp_path / "in" / "t.jsonl", lines)
    rows, rejects = scan(tmp_path / "in" / "t.jsonl", "--val-ratio", 0)
    assert [row["utterance_id"] for row in rows] == ["in/?", "in/u001"]
    assert [row["text"] for row in rows] == ["a?", "{'a': 1}"]
    assert {row["n"] for row in rows} == {"99999999999999999999", "1"}
    assert sorted(reject["reason"] for reject in rejects) == ["bad_name", "unreadable"]


def test_a_table_beside_audio_files_is_told_of(tmp_path: Path) -> None:
    corpora.csv_table(tmp_path / "in", SOME)
    result = run(MANIFEST, tmp_path / "in", "-o", tmp_path / "made")
    assert "metadata.csv is not read; to have what it says, give it as the source" in result.stderr
