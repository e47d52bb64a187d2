"""What snac-upsample does about damaged targets, files of others, bad names and odd folders."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import torch
from syllables import syllables, write_syllables
from workplace import last_line, run, snapshot, succeed

from snac_cache.fingerprint import audio_fingerprint
from snac_cache.manifests.read import read_manifest
from snac_model.audio.header import AudioError

UPSAMPLE = "snac_cache.cli.upsample"
OPTIONS = ["--engine", "resample", "--workers", 1]


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """Manifests of three utterances."""
    for number in range(3):
        write_syllables(tmp_path / "in" / f"{number}.wav", 1.1 + number / 7, 24000, number)
    folder = tmp_path / "art"
    succeed("snac_cache.cli.manifest", tmp_path / "in", "--artifacts", folder, "--val-ratio", 0)
    return folder


def rows_of(artifacts: Path) -> list[dict[str, Any]]:
    """Return the rows of train."""
    return read_manifest(artifacts / "manifests")["train"].to_pylist()


def upsample_rows(artifacts: Path, rows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Make targets of rows from a pipe; return ids, reasons and details of the rejects."""
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    options = ["--artifacts", artifacts, "--manifest", "-", "-o", "-", *OPTIONS]
    result = run(UPSAMPLE, *options, "--max-reject-rate", 1, stdin=lines)
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == len(rows)
    rejects = pq.read_table(artifacts / "manifests" / "rejects.parquet").to_pylist()
    return [(row["utterance_id"], row["reason"], row["detail"]) for row in rejects]


def flip(path: Path, place: int) -> None:
    """Flip one bit of a file."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << place % 8
    path.write_bytes(content)


@pytest.mark.parametrize("finished", [True, False])
def test_a_damaged_target_is_made_anew(artifacts: Path, finished: bool) -> None:
    """Asked to verify, or where the part is not finished: each target is decoded once."""
    succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    before = snapshot(artifacts)
    target = Path(rows_of(artifacts)[1]["target_path"])
    flip(target, target.stat().st_size // 2)
    if not finished:
        (artifacts / "audio48k" / "parts" / "train" / "part-00000.parquet").unlink()
    options = ["--verify"] if finished else []
    summary = succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS, *options)
    assert (summary["made"], summary["skipped"]) == (1, 2)
    assert snapshot(artifacts) == before


def test_no_damage_passes_for_a_whole_target(tmp_path: Path) -> None:
    """A flipped bit anywhere is found, or changes neither the samples nor the notes."""
    from snac_cache.targets.notes import TargetNotes
    from snac_cache.targets.target_file import read_target, write_target

    path, notes = tmp_path / "a.flac", TargetNotes("resample", "blocks:1:2", 3750.0, -4, 0.25, 0)
    audio = torch.from_numpy(syllables(0.3, 48000))
    write_target(path, audio, notes)
    whole = path.read_bytes()
    expected = soundfile.read(path, dtype="int16")[0].tobytes()
    assert read_target(path, len(audio)) == notes
    assert read_target(path, len(audio) - 1) is None
    found = 0
    chosen = random.Random(0)
    for place in [*range(0, 400, 3), *(chosen.randrange(400, len(whole)) for _ in range(100))]:
        path.write_bytes(whole)
        flip(path, place)
        kept = read_target(path, len(audio))
        found += kept is None
        if kept is not None:
            assert kept == notes
            assert soundfile.read(path, dtype="int16")[0].tobytes() == expected
    assert found > 180
    write_target(path, audio.flip(0), notes)
    other, start = path.read_bytes(), whole.index(b"\xff\xf8")
    path.write_bytes(whole[:start] + other[start:])  # sound frames, of other samples
    assert read_target(path, len(audio)) is None


@pytest.mark.parametrize("kind", ["a recording", "text", "a pipe"])
def test_a_file_of_others_is_never_overwritten(artifacts: Path, kind: str) -> None:
    place = artifacts / "audio48k" / "train" / "in" / "1.flac"
    place.parent.mkdir(parents=True)
    if kind == "a recording":
        soundfile.write(place, syllables(1.0, 48000), 48000)
    elif kind == "text":
        place.write_text("not to be lost")
    else:
        os.mkfifo(place)
    before = place.read_bytes() if place.is_file() else None
    options = ["--artifacts", artifacts, *OPTIONS]
    result = run(UPSAMPLE, *options)
    assert result.exit_code == 1
    assert last_line(result)["rejects"] == {"target_exists": 1}
    (reject,) = pq.read_table(artifacts / "manifests" / "rejects.parquet").to_pylist()
    assert str(place) in reject["detail"]
    assert (place.read_bytes() if place.is_file() else None) == before
    place.unlink()
    assert succeed(UPSAMPLE, *options, "--retry")["made"] == 1


BAD_IDS = [
    "../../escaped",
    "/tmp/escaped",
    "a/../b",
    "..",
    ".",
    "a//b",
    "./a",
    "a/./b",
    "a/",
    "a\0b",
    "n" * 251,
    "é" * 128 + "/a",
    "/".join(["n" * 250] * 17),
]


def test_bad_ids_are_rejected_and_the_others_are_made(artifacts: Path) -> None:
    row = rows_of(artifacts)[0]
    ids = [*BAD_IDS, "good", "ü/ok.x"]
    before = {path for path in artifacts.parent.rglob("*") if "audio48k" not in path.parts}
    rejects = upsample_rows(artifacts, [{**row, "utterance_id": name} for name in ids])
    assert [(name, reason) for name, reason, _ in rejects] == [(n, "bad_name") for n in BAD_IDS]
    targets = artifacts / "audio48k"
    made = {str(path.relative_to(targets)) for path in targets.rglob("*.flac")}
    assert made == {"train/good.flac", "train/ü/ok.x.flac"}
    new = {path for path in artifacts.parent.rglob("*") if "audio48k" not in path.parts} - before
    assert not new
    assert not list(Path("/tmp").glob("escaped*"))


@pytest.mark.parametrize("ids", [("a", "a.flac/b"), ("a.flac/b", "a")])
def test_ids_in_each_others_way_lose_one_of_them(artifacts: Path, ids: tuple[str, str]) -> None:
    """One id's file is where the other needs a folder: whichever comes second is rejected."""
    row = rows_of(artifacts)[0]
    rejects = upsample_rows(artifacts, [{**row, "utterance_id": name} for name in ids])
    assert [reason for _, reason, _ in rejects] == ["bad_name"]
    assert len(list((artifacts / "audio48k").rglob("*.flac"))) >= 1


@pytest.mark.parametrize("link", ["train", "train/in", "train/in/1.flac"])
def test_nothing_is_written_through_a_link(artifacts: Path, link: str) -> None:
    outside = artifacts.parent / "outside"
    outside.mkdir()
    path = artifacts / "audio48k" / link
    path.parent.mkdir(parents=True)
    path.symlink_to(outside / "1.flac" if path.suffix else outside)
    result = run(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    assert last_line(result)["rejects"] == {"bad_name": 1 if path.suffix else 3}
    assert not list(outside.iterdir())


def test_the_folder_of_targets_itself_may_be_a_link(artifacts: Path) -> None:
    disk = artifacts.parent / "big disk"
    disk.mkdir()
    (artifacts / "audio48k").symlink_to(disk)
    assert succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)["made"] == 3


@pytest.mark.parametrize("content", ["another schema", "no parquet"])
def test_an_odd_rejects_file_is_found_before_any_target_is_made(
    artifacts: Path, content: str
) -> None:
    path = artifacts / "manifests" / "rejects.parquet"
    if content == "no parquet":
        path.write_text("utterance_id,reason\n")
    else:
        pq.write_table(pa.table({"id": ["a"], "why": [1]}), path)
    result = run(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    assert result.exit_code == 1
    assert str(path) in result.stderr
    assert isinstance(result.exception, SystemExit)
    assert not list(artifacts.rglob("*.flac"))


def test_a_source_that_became_a_pipe_is_a_reject(artifacts: Path) -> None:
    """Opening one would wait for a writer for ever; so this runs in a process with a limit."""
    path = Path(rows_of(artifacts)[0]["audio_path"])
    path.unlink()
    os.mkfifo(path)
    code = f"from snac_cache.fingerprint import audio_fingerprint as f; f({str(path)!r})"
    started = [sys.executable, "-c", code]
    done = subprocess.run(started, timeout=60, capture_output=True, text=True, check=False)
    assert "not a file" in done.stderr
    with pytest.raises(AudioError) as caught:
        audio_fingerprint(path)
    assert caught.value.reason == "not_a_file"
    result = run(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    assert last_line(result)["rejects"] == {"not_a_file": 1}


def test_a_path_that_no_file_can_have_is_a_reject(artifacts: Path) -> None:
    row = {**rows_of(artifacts)[0], "audio_path": "/tmp/a\0b"}
    ((_, reason, _),) = upsample_rows(artifacts, [row])
    assert reason == "unreadable"


def test_a_full_disk_is_a_message(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    result = run(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert "make room" in result.stderr
