"""A folder of everything that goes wrong: the good is cached, each bad file is a reject."""

from pathlib import Path

import numpy as np
import soundfile
from workplace import query, run, succeed, write_tone

GOOD_NAMES = ["plain", "two words", 'it\'s "quoted"', "مرحبا", "日本語", "a,b;c", "100%"]
BAD_FILES = {
    "short": "too_short",
    "no bytes": "empty",
    "no frames": "empty",
    "text": "unreadable",
    "nan": "non_finite",
    "corrupt": "unreadable",
    "cut": "unreadable",
    "twice": "duplicate_id",
}


def write_folder(folder: Path) -> None:
    """Write every kind of good and bad file."""
    for name in GOOD_NAMES:
        write_tone(folder / f"{name}.wav", 1.2)
    write_tone(folder / "sub" / "stereo.flac", 1.1, channels=2)
    write_tone(folder / "eight.wav", 1.1, rate=8000)
    soundfile.write(folder / "silent.wav", np.zeros(60_000), 48000)
    write_tone(folder / "short.wav", 0.2)
    (folder / "no bytes.wav").touch()
    soundfile.write(folder / "no frames.wav", np.zeros(0), 48000)
    (folder / "text.wav").write_text("this is not audio\n" * 100)
    samples = np.full(60_000, 0.1, dtype=np.float32)
    samples[777] = np.nan
    soundfile.write(folder / "nan.wav", samples, 48000, subtype="FLOAT")
    for name, ending in (("corrupt", bytes(20_000)), ("cut", b"")):
        write_tone(folder / f"{name}.flac", 2.0)
        whole = (folder / f"{name}.flac").read_bytes()
        (folder / f"{name}.flac").write_bytes(whole[: len(whole) // 2] + ending)
    write_tone(folder / "twice.wav", 1.3)
    write_tone(folder / "twice.flac", 1.4)
    (folder / "notes.txt").write_text("no audio by its name, so no input")


def test_each_file_is_cached_or_rejected_with_its_reason(
    tmp_path: Path, model_folder: Path
) -> None:
    write_folder(tmp_path / "in")
    art = tmp_path / "art"
    common = ["--artifacts", art, "--max-reject-rate", "0.9"]
    scanned = succeed("snac_cache.cli.manifest", tmp_path / "in", *common)
    cached = succeed("snac_cache.cli.cache", "--model", model_folder, "--device", "cpu", *common)

    kept = query(f"SELECT utterance_id FROM '{art}/codes/*/part-*.parquet'")
    rejects = [f"{art}/manifests/rejects.parquet", f"{art}/codes/rejects/*.parquet"]
    reasons = dict(query(f"SELECT utterance_id, reason FROM read_parquet({rejects})"))
    good = {*GOOD_NAMES, "sub/stereo", "eight", "silent", "twice"}
    assert {name for (name,) in kept} == {f"in/{name}" for name in good}
    assert reasons == {f"in/{name}": reason for name, reason in BAD_FILES.items()}
    counted = [*scanned["rejects"].values(), *cached["rejects"].values()]
    assert sum(counted) == len(BAD_FILES)


def test_too_many_rejects_fail_after_everything_is_written(
    tmp_path: Path, model_folder: Path
) -> None:
    write_folder(tmp_path / "in")
    art = tmp_path / "art"
    scanned = run("snac_cache.cli.manifest", tmp_path / "in", "--artifacts", art)
    assert scanned.exit_code == 1
    assert "--max-reject-rate" in scanned.stderr
    assert (art / "manifests" / "train.parquet").exists()
    options = ["--artifacts", art, "--model", model_folder, "--device", "cpu"]
    cached = run("snac_cache.cli.cache", *options, "--max-reject-rate", "0.01")
    assert cached.exit_code == 1
    assert list((art / "codes" / "train").glob("part-*.parquet"))
    again = run("snac_cache.cli.cache", *options, "--max-reject-rate", "0.01")
    assert again.exit_code == 1  # for nothing was mended
    allowed = succeed("snac_cache.cli.cache", *options, "--max-reject-rate", "0.9")
    assert allowed["rows"] == 0
    assert allowed["skipped_rows"] == allowed["cached_rows"] > 0
    assert sum(allowed["rejects"].values()) > 0


def test_what_was_mended_is_encoded_with_retry(tmp_path: Path, model_folder: Path) -> None:
    for number in range(3):
        write_tone(tmp_path / "in" / f"{number}.wav", 1.2)
    art = ["--artifacts", tmp_path / "art"]
    succeed("snac_cache.cli.manifest", tmp_path / "in", *art)
    (tmp_path / "in").rename(tmp_path / "not mounted")
    options = [*art, "--model", model_folder, "--device", "cpu"]
    failed = run("snac_cache.cli.cache", *options)
    assert failed.exit_code == 1
    assert "--retry" in failed.stderr
    (tmp_path / "not mounted").rename(tmp_path / "in")
    assert run("snac_cache.cli.cache", *options).exit_code == 1
    again = succeed("snac_cache.cli.cache", *options, "--retry")
    assert (again["cached_rows"], again["rejects"]) == (3, {})
    assert not list((tmp_path / "art" / "codes" / "rejects").glob("*.parquet"))


def test_a_name_that_is_not_text_is_rejected(tmp_path: Path) -> None:
    write_tone(tmp_path / "in" / "good.wav", 1.2)
    (tmp_path / "in" / "good.wav").with_name("bad\udcff.wav").write_bytes(b"x")
    art = tmp_path / "art"
    found = succeed(
        "snac_cache.cli.manifest", tmp_path / "in", "--artifacts", art, "--max-reject-rate", "1"
    )
    assert found["rejects"] == {"bad_name": 1}
    (row,) = query(f"SELECT utterance_id FROM '{art}/manifests/rejects.parquet'")
    assert row == ("in/bad\\xff",)
