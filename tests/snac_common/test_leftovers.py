"""What killed writers left is cleared; nothing else is."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from snac_common.errors import BadInput
from snac_common.files import atomic_folder, clear_leftovers, write_text
from snac_model.export.folder import ExportRequest, export

DAY = 86_400
FILE, FOLDER = ".a.wav-k2_9xq0a.partial", ".first-abcdefgh.partial"


def write(path: Path, age: float = 2 * DAY) -> Path:
    """Write a file that looks as if it was last written so many seconds ago; so do its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("half")
    then = time.time() - age
    for entry in (path, path.parent):
        os.utime(entry, (then, then))
    return path


def test_old_files_and_folders_of_killed_writers_go(tmp_path: Path) -> None:
    write(tmp_path / FILE)
    write(tmp_path / FOLDER / "new" / "model.safetensors")
    os.utime(tmp_path / FOLDER, (0, 0))
    assert clear_leftovers(tmp_path) == 2
    assert list(tmp_path.iterdir()) == []


def test_what_a_living_writer_may_have_open_stays(tmp_path: Path) -> None:
    write(tmp_path / FILE, age=DAY / 2)
    write(tmp_path / FOLDER / "new" / "model.safetensors", age=DAY / 2)
    os.utime(tmp_path / FOLDER, (0, 0))
    assert clear_leftovers(tmp_path) == 0
    assert clear_leftovers(tmp_path, older_than_seconds=DAY / 4) == 2


@pytest.mark.parametrize(
    "name", ["a.wav", "film.partial", ".partial", ".a.partial", ".a-ABCDEFGH.partial", "part-1"]
)
def test_the_users_own_files_stay(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)
    assert clear_leftovers(tmp_path) == 0
    assert path.exists()


def test_subfolders_are_cleared_where_that_is_asked_for(tmp_path: Path) -> None:
    below = write(tmp_path / "sub" / "deep" / FILE)
    assert clear_leftovers(tmp_path) == 0
    assert below.exists()
    assert clear_leftovers(tmp_path, recursive=True) == 1
    assert not below.exists()


def test_links_are_neither_followed_nor_removed(tmp_path: Path) -> None:
    elsewhere = write(tmp_path / "elsewhere" / FILE)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / FOLDER).symlink_to(tmp_path / "elsewhere")
    assert clear_leftovers(folder, older_than_seconds=-1, recursive=True) == 0
    assert elsewhere.exists()


def test_a_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert clear_leftovers(tmp_path / "nothing") == 0


def test_a_folder_that_was_to_be_replaced_when_its_writer_was_killed_comes_back(
    tmp_path: Path,
) -> None:
    write(tmp_path / FOLDER / "old" / "model.safetensors")
    os.utime(tmp_path / FOLDER, (0, 0))
    assert clear_leftovers(tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["first"]
    assert (tmp_path / "first" / "model.safetensors").read_text() == "half"


def test_an_export_that_was_killed_is_there_again_for_the_next(tmp_path: Path) -> None:
    write(tmp_path / FOLDER / "old" / "pytorch_model.bin")
    os.utime(tmp_path / FOLDER, (0, 0))
    folder = tmp_path / "first"
    request = ExportRequest(
        folder,
        overwrite=False,
        onnx=False,
        page=False,
        noise=False,
        half=False,
        discriminators=False,
        licence=None,
        repository=None,
    )
    run: Any = None
    with pytest.raises(BadInput, match="is there already"):
        export(run, request)
    assert [path.name for path in tmp_path.iterdir()] == ["first"]


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_folder_is_replaced_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchanges: bool
) -> None:
    if not exchanges:
        monkeypatch.setattr("snac_common.files.exchange", lambda one, other: False)
    for content in ("first", "second"):
        with atomic_folder(tmp_path / "folder") as new:
            write_text(new / content, content)
        assert [path.name for path in (tmp_path / "folder").iterdir()] == [content]
        assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_a_folder_that_is_replaced_is_there_at_every_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every call that renames is watched: none may leave the place empty."""
    folder = tmp_path / "folder"
    write_text(folder / "old", "old")
    replace = Path.replace

    def watched(path: Path, target: Path) -> Path:
        moved = replace(path, target)
        assert folder.exists()
        return moved

    monkeypatch.setattr(Path, "replace", watched)
    with atomic_folder(folder) as new:
        (new / "new").write_text("new")
    assert [path.name for path in folder.iterdir()] == ["new"]


def test_a_name_as_long_as_the_system_allows_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 125 + ".wav")
    write_text(path, "whole")
    assert list(tmp_path.iterdir()) == [path]
