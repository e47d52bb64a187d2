"""A lack of memory says nothing about a file, and a pipe is no file."""

import os
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from models import NARROW, seeded
from workplace import run

from snac_cache.fingerprint import audio_fingerprint
from snac_cache.store.identity import CacheIdentity
from snac_cache.store.parts import finished
from snac_cache.work.plan import Part
from snac_cache.work.plan_file import Plan
from snac_model.audio.header import AudioError


def fail(*_: object, **__: object) -> None:
    """Stand in for Arrow where no memory is left."""
    raise pa.ArrowMemoryError("malloc of size 4096 failed")


def test_it_does_not_make_a_part_an_unfinished_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = CacheIdentity.of(seeded(NARROW["24k"]), "made up", "fp32")
    monkeypatch.setattr(pq, "read_metadata", fail)
    with pytest.raises(MemoryError):
        finished(tmp_path, Part("train", 0, 1, ""), identity)


def test_it_does_not_make_a_plan_a_damaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "train.parquet").touch()
    monkeypatch.setattr(pq, "read_metadata", fail)
    with pytest.raises(MemoryError):
        Plan.read(tmp_path)
    monkeypatch.setattr(pq, "ParquetFile", fail)
    with pytest.raises(MemoryError):
        Plan(tmp_path, []).rows(Part("train", 0, 1, ""))


def test_a_command_says_so_without_a_traceback(
    tmp_path: Path, manifest_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snac_cache.store.resolve.read_manifest", fail)
    failed = run("snac_cache.cli.cache", "--manifest", manifest_folder, "--codes", tmp_path)
    assert failed.exit_code == 1
    assert "out of memory (malloc of size 4096 failed)" in failed.stderr


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.wav")
    reasons: list[str] = []

    def read() -> None:
        try:
            audio_fingerprint(tmp_path / "a.wav")
        except AudioError as error:
            reasons.append(error.reason)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(10)
    assert reasons == ["not_a_file"]
