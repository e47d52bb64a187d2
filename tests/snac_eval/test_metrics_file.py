"""Writing metrics without holding them all, and reading them again."""

from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from snac_common.errors import Failure
from snac_eval.measuring import metrics_file
from snac_eval.measuring.measure import Row
from snac_eval.measuring.metrics_file import as_table, metrics_writer, read_utterances


def write(path: Path, count: int) -> list[Row]:
    rows = [Row(str(number), "m", 24000, "loss", float(number), None) for number in range(count)]
    with metrics_writer(path) as writer:
        for row in rows:
            writer.add(as_table([row]))
    return rows


def read(path: Path) -> list[Row]:
    return [row for utterance in read_utterances(path) for row in utterance]


def test_rows_are_written_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_file, "ROWS_IN_MEMORY", 10)
    rows = write(tmp_path / "metrics.parquet", 103)
    file = pq.ParquetFile(tmp_path / "metrics.parquet")
    assert file.num_row_groups == 11
    assert read(tmp_path / "metrics.parquet") == rows


def test_every_flipped_byte_of_a_page_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "metrics.parquet"
    rows = write(path, 300)
    whole = path.read_bytes()
    footer = len(whole) - int.from_bytes(whole[-8:-4], "little") - 8
    for position in range(4, footer, 17):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        path.write_bytes(damaged)
        with suppress(Failure):
            assert read(path) == rows, f"byte {position}"


@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_what_is_no_parquet_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "metrics.parquet").write_bytes(content)
    with pytest.raises(Failure, match=r"metrics\.parquet is damaged"):
        list(read_utterances(tmp_path / "metrics.parquet"))


def test_an_interrupted_evaluation_leaves_no_metrics(tmp_path: Path) -> None:
    def evaluate() -> None:
        with metrics_writer(tmp_path / "metrics.parquet") as writer:
            writer.add(as_table([Row("a", "m", 24000, "loss", 1.0, None)]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate()
    assert list(tmp_path.iterdir()) == []
