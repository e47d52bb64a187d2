"""A full disk is a message that names the file, whichever library meets it."""

import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from snac_common.errors import Failure
from snac_common.files import atomic_folder, atomic_path, write_text

NUMBERS = np.random.default_rng(0).integers(0, 1 << 60, 10_000)
Write = Callable[[Path], object]


def _sound(kind: str) -> Write:
    samples = NUMBERS.astype(np.int16)
    return lambda path: soundfile.write(path, samples, 24000, "PCM_16", format=kind)


WRITERS: dict[str, Write] = {
    "text": lambda path: path.write_text("x" * 50_000),
    "wav": _sound("WAV"),
    "flac": _sound("FLAC"),
    "safetensors": lambda path: save_file({"a": torch.from_numpy(NUMBERS)}, path),
    "torch": lambda path: torch.save({"a": torch.from_numpy(NUMBERS)}, path),
    "parquet": lambda path: pq.write_table(pa.table({"a": NUMBERS}), path),
}


@pytest.fixture
def full_disk() -> Iterator[None]:
    """A limit on the size of files, which stands in for a full disk: writing fails half way."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("place", ["file", "folder"])
@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_names_the_file_and_the_free_space(
    tmp_path: Path, write: Write, place: str
) -> None:
    path = tmp_path / "wanted"

    def fail() -> None:
        if place == "file":
            with atomic_path(path) as temporary:
                write(temporary)
        else:
            with atomic_folder(path) as folder:
                write(folder / "file")

    with pytest.raises(Failure, match=rf"cannot write {path}: .*\d GB are free there"):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [ValueError("ours"), FileNotFoundError("input"), RuntimeError()])
def test_other_errors_stay_what_they_are(tmp_path: Path, error: Exception) -> None:
    def fail() -> None:
        with atomic_path(tmp_path / "file"):
            raise error

    with pytest.raises(type(error)) as caught:
        fail()
    assert caught.value is error


def test_audio_that_cannot_be_read_meanwhile_is_no_full_disk(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_text("no audio")

    def read_while_writing() -> None:
        with atomic_path(tmp_path / "file"):
            soundfile.read(tmp_path / "bad.wav")

    with pytest.raises(soundfile.LibsndfileError):
        read_while_writing()


def test_a_file_system_that_lacks_room_for_a_name_is_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", no_space)
    with pytest.raises(Failure, match=r"cannot write .*No space left"):
        write_text(tmp_path / "file", "text")
