"""Files are whole or absent, whatever happens to their writer."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from snac_common.artifacts import Artifacts
from snac_common.files import TEMPORARY_SUFFIX, atomic_path, write_text

SLOW_WRITER = """
import sys, time
from pathlib import Path
from snac_common.files import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    with temporary.open("w") as file:
        file.write("half of the new")
        file.flush()
        print("writing", flush=True)
        time.sleep(60)
"""


def test_a_file_appears_whole_in_folders_that_are_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.txt"
    with atomic_path(path) as temporary:
        assert temporary.parent == path.parent
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_others_may_read_it_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "file", "Zoë")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "file").read_text(encoding="utf-8") == "Zoë"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail_half_way() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half of the new")
            raise error

    with pytest.raises(error):
        fail_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_writer_leaves_the_old_content_and_a_partial_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    process.stdout.close()
    assert path.read_text() == "old"
    (left,) = (other for other in tmp_path.iterdir() if other != path)
    assert left.name.endswith(TEMPORARY_SUFFIX)
    write_text(path, "new")
    assert path.read_text() == "new"


def test_artifacts_are_at_the_root_given_then_the_environments_then_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SNAC_ARTIFACTS", raising=False)
    assert Artifacts.at(None).root == Path("artifacts")
    monkeypatch.setenv("SNAC_ARTIFACTS", "/elsewhere")
    assert Artifacts.at(None).codes == Path("/elsewhere/codes")
    assert Artifacts.at("here").manifests == Path("here/manifests")
    assert Artifacts.at("here").run("r") == Path("here/runs/r")
    assert Artifacts.at("here").evaluation("e") == Path("here/eval/e")
