"""A command that is given nothing to work on fails; a limit of 0 means all; rejects say why."""

import json
from pathlib import Path

import pytest
import soundfile
from workplace import on_a_terminal, run, succeed, write_tone

CACHE, UPSAMPLE, CHECK = (f"snac_cache.cli.{name}" for name in ("cache", "upsample", "check"))
ENCODE, DECODE, MANIFEST = (f"snac_cache.cli.{name}" for name in ("encode", "decode", "manifest"))
SMALL = ("--model", "builtin:speech-small", "--device", "cpu")


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        (CACHE, ("--manifest", "-")),
        (UPSAMPLE, ("--manifest", "-", "-o", "-", "--engine", "resample")),
        (DECODE, ("-", "-o", "out", *SMALL)),
    ],
)
def test_an_empty_input_fails_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    empty = run(module, *arguments, stdin="")
    assert empty.exit_code == 1
    assert "error: there is nothing to" in empty.stderr


def test_a_folder_without_audio_fails_and_says_so(tmp_path: Path) -> None:
    for module in (MANIFEST, ENCODE):
        options = () if module == MANIFEST else ("-o", tmp_path / "codes.jsonl", *SMALL)
        (tmp_path / "in").mkdir(exist_ok=True)
        refused = run(module, tmp_path / "in", *options)
        assert (refused.exit_code, "no audio that can be read in" in refused.stderr) == (2, True)


def test_a_limit_of_0_is_no_limit(
    tmp_path: Path, model_folder: Path, manifest_folder: Path
) -> None:
    where = ("--model", model_folder, "--manifest", manifest_folder, "--device", "cpu")
    limits = ("--limit", 0, "--val-limit", 1)
    assert succeed(CACHE, *where, *limits, "--artifacts", tmp_path)["rows"] == 11


def test_too_many_rejects_name_reasons_counts_and_file(tmp_path: Path) -> None:
    write_tone(tmp_path / "in/long.wav", 1.5)
    for number in range(3):
        write_tone(tmp_path / f"in/{number}.wav", 0.1 + number / 100)
    (tmp_path / "in/bad.wav").write_bytes(b"RIFF")
    art = ("--artifacts", tmp_path)
    failed = run(MANIFEST, tmp_path / "in", *art)
    assert failed.exit_code == 1
    assert (
        "4 of 5 inputs were rejected, more than --max-reject-rate 0.05 allows: too_short 3, "
        "unreadable 1." in failed.stderr
    )
    assert f"See {tmp_path}/manifests/rejects.parquet" in failed.stderr


def test_questions_are_answered_from_manifests_alone(tmp_path: Path) -> None:
    write_tone(tmp_path / "in/long.wav", 1.5)
    write_tone(tmp_path / "in/short.wav", 0.1)
    art = ("--artifacts", tmp_path)
    run(MANIFEST, tmp_path / "in", *art)
    sql = "SELECT reason, count(*) AS files FROM rejects GROUP BY ALL"
    answered = run(CHECK, "--sql", sql, *art)
    assert answered.exit_code == 0, answered.stderr
    assert json.loads(answered.stdout) == {"reason": "too_short", "files": 1}
    counted = run(CHECK, "--sql", "SELECT count(*) AS n FROM manifest", *art)
    assert json.loads(counted.stdout) == {"n": 1}
    shown = on_a_terminal(CHECK, "--sql", sql, *art).stdout
    assert "too_short      1" in shown


@pytest.mark.parametrize("view", ["codes", "cached", "tokens", "codebooks", "cache", "parts"])
def test_questions_about_codes_that_are_not_there_say_what_to_run(
    tmp_path: Path, view: str
) -> None:
    write_tone(tmp_path / "in/long.wav", 1.5)
    run(MANIFEST, tmp_path / "in", "--artifacts", tmp_path)
    asked = run(CHECK, "--sql", f"FROM {view}", "--artifacts", tmp_path)
    assert asked.exit_code == 2
    assert f"no cached codes in {tmp_path}/codes" in asked.stderr
    assert "Run snac-cache" in asked.stderr


def test_checks_and_questions_need_codes_or_a_manifest(tmp_path: Path) -> None:
    for arguments in ((), ("--sql", "FROM manifest")):
        failed = run(CHECK, *arguments, "--artifacts", tmp_path)
        assert failed.exit_code == 1
        assert "no cached codes" in failed.stderr


def test_a_place_that_cannot_be_written_to_is_found_before_the_work(
    tmp_path: Path, manifest_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soundfile, "info", None)
    write_tone(tmp_path / "in/long.wav", 1.5)
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "here"
    for module, options in (
        (MANIFEST, (tmp_path / "in", "-o", place)),
        (CACHE, ("--manifest", "none", "--codes", place)),
        (UPSAMPLE, ("--manifest", "none", "--targets", place)),
    ):
        refused = run(module, *options)
        assert refused.exit_code == 1
        assert f"cannot write to {place}: Not a directory" in refused.stderr
