"""Decoded copies: used only while they are what was written, and only if nobody else could."""

import errno
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snac_cache.parquet import write_table
from snac_cache.store import mapped
from snac_common.errors import Failure

TABLE = pa.table({"id": [f"u{i}" for i in range(50)], "tokens": [[i, i + 1] for i in range(50)]})


@pytest.fixture
def part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A part, and a private folder for copies that cannot lie beside it."""
    monkeypatch.setenv(mapped.ENVIRONMENT, str(tmp_path / "private"))
    write_table(TABLE, tmp_path / "codes" / "part-00000.parquet")
    return tmp_path / "codes" / "part-00000.parquet"


def refuse_to_write(monkeypatch: pytest.MonkeyPatch, error: int, place: str) -> None:
    """Have the system refuse to write below folders of one name."""
    original = mapped.atomic_path

    def refuse(path: Path) -> Any:
        if place in path.parts:
            raise OSError(error, os.strerror(error), str(path))
        return original(path)

    monkeypatch.setattr(mapped, "atomic_path", refuse)


@pytest.mark.parametrize("seed", range(10))
def test_a_flipped_bit_in_a_copy_is_not_read(part: Path, seed: int) -> None:
    mapped.open_mapped(part)
    (copy,) = part.parent.glob(".mapped/*.arrow")
    content = bytearray(copy.read_bytes())
    where = random.Random(seed)
    content[where.randrange(len(content))] ^= 1 << where.randrange(8)
    copy.write_bytes(content)
    assert mapped.open_mapped(part).equals(TABLE)
    assert copy.read_bytes() != content  # it was made anew


@pytest.mark.parametrize("damage", [b"", b"ARROW1", b"\0" * 4000])
@pytest.mark.parametrize("suffix", ["arrow", "json"])
def test_a_copy_that_was_cut_or_replaced_is_made_anew(
    part: Path, damage: bytes, suffix: str
) -> None:
    mapped.open_mapped(part)
    (part.parent / ".mapped" / f"{part.stem}.{suffix}").write_bytes(damage)
    assert mapped.open_mapped(part).equals(TABLE)


@pytest.mark.parametrize("error", [errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC])
def test_where_the_cache_cannot_be_written_to_copies_are_private(
    part: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    refuse_to_write(monkeypatch, error, ".mapped")
    for _ in range(2):
        assert mapped.open_mapped(part).equals(TABLE)
    (copy,) = (tmp_path / "private").glob("*/*.arrow")
    assert copy.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("planted", ["writable by all", "a link", "another user's"])
def test_a_private_folder_of_others_is_refused(
    part: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: str
) -> None:
    refuse_to_write(monkeypatch, errno.EACCES, ".mapped")
    mapped.open_mapped(part)
    (folder,) = (tmp_path / "private").iterdir()
    if planted == "writable by all":
        folder.chmod(0o777)
    elif planted == "a link":
        folder.rename(tmp_path / "elsewhere")
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(Failure, match=mapped.ENVIRONMENT):
        mapped.open_mapped(part)


def test_without_room_anywhere_the_failure_says_what_to_set(
    part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_to_write(monkeypatch, errno.ENOSPC, part.parts[1])
    with pytest.raises(Failure, match=mapped.ENVIRONMENT):
        mapped.open_mapped(part)


def test_a_part_that_was_replaced_is_decoded_again(part: Path) -> None:
    mapped.open_mapped(part)
    other = TABLE.slice(7)
    write_table(other, part)
    assert mapped.open_mapped(part).equals(other)


@given(data=st.data(), lengths=st.lists(st.integers(0, 5), max_size=5))
def test_rows_are_taken_from_tables_of_many_chunks(data: st.DataObject, lengths: list[int]) -> None:
    pieces = [TABLE.slice(7 * number, length) for number, length in enumerate(lengths)]
    table = pa.concat_tables([TABLE.schema.empty_table(), *pieces])
    places = st.integers(0, len(table) - 1) if len(table) else st.nothing()
    rows = np.array(data.draw(st.lists(places)), np.int64)
    assert mapped.take_rows(table, rows).equals(table.combine_chunks().take(pa.array(rows)))
