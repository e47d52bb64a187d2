"""Targets that exist already: proved, used in place, and never written to."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from syllables import syllables, write_syllables
from workplace import last_line, run, snapshot, succeed

from snac_cache.manifests.read import read_manifest

UPSAMPLE, MANIFEST = "snac_cache.cli.upsample", "snac_cache.cli.manifest"
FILES = ["--engine", "files", "--workers", 1]
SECONDS = 1.3


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Earlier layout: train/audio and valid/audio at 24 kHz, audio_48khz beside each."""
    for number, place in enumerate(["train/{}/1", "train/{}/deep/2", "valid/{}/1"]):
        source = tmp_path / "in" / f"{place.format('audio')}.wav"
        write_syllables(source, SECONDS, 24_000, number)
        write(tmp_path / "in" / f"{place.format('audio_48khz')}.flac", number)
    succeed(MANIFEST, tmp_path / "in", "--artifacts", tmp_path / "art")
    return tmp_path


def write(path: Path, seed: int, change: Any = lambda audio: audio, rate: int = 48_000) -> None:
    """Write syllables at 48 kHz, changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, change(syllables(SECONDS, rate, seed)), rate)


def upsample(corpus: Path, *options: object, folders: tuple[str, ...] = ()) -> Any:
    """Run the command on the folders of targets: those of the earlier layout, unless told."""
    folders = folders or (
        f"train={corpus}/in/train/audio_48khz",
        f"val={corpus}/in/valid/audio_48khz",
    )
    given = [part for folder in folders for part in ("--from", folder)]
    return run(UPSAMPLE, "--artifacts", corpus / "art", *FILES, *given, *options)


def rows_of(corpus: Path) -> list[dict[str, Any]]:
    tables = read_manifest(corpus / "art" / "manifests")
    return [row for table in tables.values() for row in table.to_pylist()]


def rejects_of(corpus: Path) -> list[tuple[str, str, str]]:
    rejects = pq.read_table(corpus / "art" / "manifests" / "rejects.parquet").to_pylist()
    return [(row["utterance_id"], row["reason"], row["detail"]) for row in rejects]


def test_files_that_fit_are_used_where_they_are(corpus: Path) -> None:
    before = snapshot(corpus / "in")
    for _ in range(2):
        result = upsample(corpus)
        assert result.exit_code == 0, result.stderr
        summary = last_line(result)
        assert (summary["given"], summary["made"], summary["targets"]) == (3, 0, 3)
    assert [row["target_path"] for row in rows_of(corpus)] == [
        f"{corpus}/in/train/audio_48khz/1.flac",
        f"{corpus}/in/train/audio_48khz/deep/2.flac",
        f"{corpus}/in/valid/audio_48khz/1.flac",
    ]
    assert all(abs(row["target_lag_samples"]) <= 1 for row in rows_of(corpus))
    assert snapshot(corpus / "in") == before
    assert not list((corpus / "art" / "audio48k").rglob("*.flac"))


@pytest.mark.parametrize("surplus", [-2, -400, 3, 400])
def test_a_few_frames_too_few_or_too_many_become_a_target_of_ours(
    corpus: Path, surplus: int
) -> None:
    theirs = corpus / "in/train/audio_48khz/1.flac"
    write(theirs, 0, lambda audio: np.pad(audio, (0, max(surplus, 0)))[: len(audio) + surplus])
    before = snapshot(corpus / "in")
    result = upsample(corpus)
    assert result.exit_code == 0, result.stderr
    assert (last_line(result)["given"], last_line(result)["made"]) == (2, 1)
    assert "1 of the files was cut, padded" in result.stderr
    ours = corpus / "art/audio48k/train/in/train/audio/1.flac"
    assert rows_of(corpus)[0]["target_path"] == str(ours)
    assert soundfile.info(ours).frames == round(SECONDS * 48_000)
    length = round(SECONDS * 48_000) + min(surplus, 0)
    np.testing.assert_array_equal(
        soundfile.read(ours)[0][:length], soundfile.read(theirs)[0][:length]
    )
    assert snapshot(corpus / "in") == before


@pytest.mark.parametrize(
    ("change", "reason", "said"),
    [
        (lambda audio: np.roll(audio, 24), "misaligned_target", "24 samples late"),
        (lambda audio: np.roll(audio, -24), "misaligned_target", "24 samples early"),
        (lambda audio: audio / 2, "wrong_gain", "dB too quiet"),
        (lambda audio: 1.2 * audio, "wrong_gain", "dB too loud"),
        (lambda audio: -audio, "wrong_gain", "upside down"),
        (lambda audio: audio[:-2000], "wrong_length", "2000 samples too short"),
        (lambda audio: syllables(SECONDS, 48_000, 7), "misaligned_target", "nothing tells"),
        (lambda audio: 0 * audio, "misaligned_target", "nothing tells"),
    ],
)
def test_what_does_not_belong_to_its_source_is_a_reject(
    corpus: Path, change: Any, reason: str, said: str
) -> None:
    write(corpus / "in/train/audio_48khz/1.flac", 0, change)
    result = upsample(corpus)
    assert result.exit_code == 1
    ((name, why, detail),) = rejects_of(corpus)
    assert (name, why) == ("in/train/audio/1", reason)
    assert said in detail
    assert "train/audio_48khz/1.flac" in detail
    assert rows_of(corpus)[0]["target_path"] is None


def test_lag_and_gain_are_corrected_when_asked(corpus: Path) -> None:
    write(corpus / "in/train/audio_48khz/1.flac", 0, lambda audio: np.roll(audio, 24) / 2)
    result = upsample(corpus, "--correct")
    assert result.exit_code == 0, result.stderr
    row = rows_of(corpus)[0]
    assert row["target_path"] == f"{corpus}/art/audio48k/train/in/train/audio/1.flac"
    assert abs(row["target_lag_samples"] - 24) <= 1
    assert abs(row["target_gain_db"] + 6.02) < 0.1
    assert last_line(result)["given"] == 2


def test_a_file_that_is_missing_of_another_rate_or_broken_is_a_reject(corpus: Path) -> None:
    folder = corpus / "in/train/audio_48khz"
    (folder / "1.flac").unlink()
    write(folder / "deep/2.flac", 1, rate=44_100)
    (corpus / "in/valid/audio_48khz/1.flac").write_text("no audio")
    assert upsample(corpus).exit_code == 1
    reasons = {name: reason for name, reason, _ in rejects_of(corpus)}
    assert reasons == {
        "in/train/audio/1": "no_target_file",
        "in/train/audio/deep/2": "wrong_rate",
        "in/valid/audio/1": "unreadable",
    }
    write(folder / "1.flac", 0)
    assert upsample(corpus, "--retry").exit_code == 1
    assert len(rejects_of(corpus)) == 2


def test_one_folder_may_mirror_all_sources(corpus: Path) -> None:
    for path in list((corpus / "in").rglob("*.flac")):
        inside = path.relative_to(corpus / "in").parts
        path.rename(_made(corpus / "other" / inside[0] / "audio" / Path(*inside[2:])))
    result = upsample(corpus, folders=(str(corpus / "other"),))
    assert last_line(result)["given"] == 3, result.stderr


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_two_files_that_could_be_meant_are_told_apart_by_splits(corpus: Path) -> None:
    folders = (f"{corpus}/in/train/audio_48khz", f"{corpus}/in/valid/audio_48khz")
    result = upsample(corpus, folders=folders)
    assert result.exit_code == 1
    assert last_line(result)["rejects"] == {"ambiguous_target": 2}
    assert "--from train=" in rejects_of(corpus)[0][2]


def test_the_manifests_own_column_is_taken(corpus: Path) -> None:
    for split, folder in (("train", "train"), ("val", "valid")):
        path = corpus / "art" / "manifests" / f"{split}.parquet"
        table = pq.read_table(path)
        there = [
            name.replace(f"{folder}/audio", f"{folder}/audio_48khz")
            for name in table["audio_path"].to_pylist()
        ]
        targets = pa.array([str(Path(name).with_suffix(".flac")) for name in there])
        place = table.schema.get_field_index("target_path")
        pq.write_table(table.set_column(place, "target_path", targets), path)
    write(corpus / "in/train/audio_48khz/1.flac", 0, lambda audio: audio[:-2])
    for _ in range(2):
        summary = succeed(UPSAMPLE, "--artifacts", corpus / "art", *FILES)
        assert (summary["targets"], summary["rejects"]) == (3, {})
    assert summary["given"] == 2


def test_a_file_of_theirs_where_ours_would_go_is_left_alone(corpus: Path) -> None:
    theirs = corpus / "art/audio48k/train/in/train/audio/1.flac"
    write(theirs, 0, lambda audio: audio[:-2])
    before = theirs.read_bytes()
    folders = (f"train={corpus}/art/audio48k/train", f"val={corpus}/in/valid/audio_48khz")
    upsample(corpus, "--max-reject-rate", 1, folders=folders)
    reasons = {name: reason for name, reason, _ in rejects_of(corpus)}
    assert reasons["in/train/audio/1"] == "target_exists"
    assert theirs.read_bytes() == before


def test_audio_at_48_khz_is_its_own_target_unless_a_file_is_given(tmp_path: Path) -> None:
    for name in "ab":
        write_syllables(tmp_path / "in" / f"{name}.wav", SECONDS, 48_000, 3)
    write(tmp_path / "better" / "a.flac", 3)
    options = ["--artifacts", tmp_path / "art"]
    succeed(MANIFEST, tmp_path / "in", *options, "--val-ratio", 0)
    summary = succeed(UPSAMPLE, *options, *FILES, "--from", tmp_path / "better")
    assert (summary["given"], summary["native"]) == (1, 1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--engine", "resample", "--from", "."], "--from is for --engine files"),
        (["--from", "."], "--from is for --engine files"),
        (["--engine", "files"], "--from DIR"),
        (["--engine", "resample", "--correct"], "--correct is for --engine files"),
        (["--engine", "files", "--from", "nowhere"], "no folder nowhere"),
    ],
)
def test_what_does_not_go_together_is_refused(corpus: Path, options: list[str], said: str) -> None:
    result = run(UPSAMPLE, "--artifacts", corpus / "art", *options)
    assert result.exit_code == 2
    assert said in result.stderr


def test_other_folders_are_proved_anew(corpus: Path) -> None:
    assert upsample(corpus).exit_code == 0
    write(corpus / "other/1.flac", 9)
    result = upsample(corpus, folders=(str(corpus / "other"),))
    assert json.loads(result.stdout.splitlines()[-1])["given"] == 0
