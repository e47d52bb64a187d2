"""Targets in tars, one for each part: nothing is made twice, and none is taken for another."""

from pathlib import Path
from typing import Any

import pytest
import torch
from syllables import write_syllables
from workplace import run, succeed

from snac_cache.manifests.read import read_manifest
from snac_cache.targets import make_parts
from snac_common.errors import Failure
from snac_model.audio.locators import file_of, is_plain
from snac_model.audio.reading import read_mono, resample

UPSAMPLE, MANIFEST = "snac_cache.cli.upsample", "snac_cache.cli.manifest"
OPTIONS = ("--engine", "resample", "--workers", 1, "--part-rows", 4, "--shards")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Nine utterances at 24 kHz, and one at 48 kHz."""
    for number in range(10):
        rate = 48_000 if number == 5 else 24_000
        write_syllables(tmp_path / "in" / f"{number}.wav", 1.0 + 0.1 * number, rate, number)
    scan(tmp_path)
    return tmp_path


def scan(corpus: Path) -> None:
    succeed(MANIFEST, corpus / "in", "--artifacts", corpus / "art", "--val-ratio", 0)


def upsample(corpus: Path, *options: object) -> tuple[int, int]:
    """Make targets; return how many were made and how many kept."""
    found = succeed(UPSAMPLE, "--artifacts", corpus / "art", *OPTIONS, *options)
    assert found["rejects"] == {}
    return found["made"], found["skipped"]


def rows(corpus: Path) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = read_manifest(corpus / "art/manifests")["train"].to_pylist()
    return listed


def assert_right(corpus: Path) -> None:
    """Every target is its source's, and there are no files but the tars that they lie in."""
    tars = set()
    for row in rows(corpus):
        target, rate = read_mono(row["target_path"])
        expected = resample(*read_mono(row["audio_path"]), 48_000)
        assert rate == 48_000
        assert torch.allclose(target, expected, rtol=0, atol=2e-4)
        if row["source_sample_rate"] != 48_000:
            assert not is_plain(row["target_path"])
            tars.add(file_of(row["target_path"]))
    there = {
        path for path in (corpus / "art/audio48k").rglob("*") if path.suffix in (".tar", ".flac")
    }
    assert there == tars
    assert len(tars) == 3


def test_a_part_is_a_tar_and_is_made_once(corpus: Path) -> None:
    assert upsample(corpus) == (9, 0)
    assert_right(corpus)
    before = {path: path.read_bytes() for path in (corpus / "art/audio48k").rglob("*.tar")}
    assert upsample(corpus) == (0, 9)
    assert {path: path.read_bytes() for path in (corpus / "art/audio48k").rglob("*.tar")} == before


def test_what_changed_is_made_again_and_the_rest_is_copied(corpus: Path) -> None:
    upsample(corpus)
    write_syllables(corpus / "in/1.wav", 1.7, 24_000, 77)
    scan(corpus)
    assert upsample(corpus) == (1, 8)
    assert_right(corpus)


def test_files_become_tars_and_stay_so(corpus: Path) -> None:
    files = OPTIONS[:-1]
    succeed(UPSAMPLE, "--artifacts", corpus / "art", *files)
    assert upsample(corpus) == (0, 9)
    assert_right(corpus)
    found = succeed(UPSAMPLE, "--artifacts", corpus / "art", *files)
    assert (found["made"], found["skipped"]) == (0, 9)
    assert_right(corpus)


def test_damage_is_found_and_made_again(corpus: Path) -> None:
    upsample(corpus)
    row = rows(corpus)[1]
    tar = file_of(row["target_path"])
    content = bytearray(tar.read_bytes())
    middle = int(row["target_path"].split("o=")[1].split("&")[0]) + 9000
    content[middle : middle + 500] = bytes(500)
    tar.write_bytes(content)
    assert upsample(corpus, "--verify") == (1, 8)
    assert_right(corpus)
    file_of(rows(corpus)[0]["target_path"]).unlink()
    assert upsample(corpus) == (4, 5)
    assert_right(corpus)


def test_a_run_that_ends_early_leaves_what_was_there(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upsample(corpus)
    write_syllables(corpus / "in/1.wav", 1.7, 24_000, 77)
    before = rows(corpus)
    scan(corpus)

    def fail(*_: object) -> None:
        raise Failure("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(make_parts, "write_results", fail)
        assert run(UPSAMPLE, "--artifacts", corpus / "art", *OPTIONS).exit_code == 1
    for row in [row for row in before if not row["utterance_id"].endswith("/1")]:
        expected = resample(*read_mono(row["audio_path"]), 48_000)
        assert torch.allclose(read_mono(row["target_path"])[0], expected, rtol=0, atol=2e-4)
    assert upsample(corpus) in ((1, 8), (0, 9))  # the tar without results may be looked at first
    assert_right(corpus)
