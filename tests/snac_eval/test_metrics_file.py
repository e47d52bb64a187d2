"""Writing metrics without holding them all."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from snac_eval import metrics_file
from snac_eval.measure import Row
from snac_eval.metrics_file import metrics_writer


def test_rows_are_written_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_file, "ROWS_IN_MEMORY", 10)
    rows = [Row(str(number), "m", 24000, "loss", float(number), None) for number in range(103)]
    with metrics_writer(tmp_path / "metrics.parquet") as writer:
        for row in rows:
            writer.add([row])
    file = pq.ParquetFile(tmp_path / "metrics.parquet")
    assert file.num_row_groups == 11
    assert [Row(**row) for row in file.read().to_pylist()] == rows


def test_an_interrupted_evaluation_leaves_no_metrics(tmp_path: Path) -> None:
    def evaluate() -> None:
        with metrics_writer(tmp_path / "metrics.parquet") as writer:
            writer.add([Row("a", "m", 24000, "loss", 1.0, None)])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate()
    assert list(tmp_path.iterdir()) == []
