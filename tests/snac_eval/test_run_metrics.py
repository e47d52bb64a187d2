"""Reading and drawing what a training run logged."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snac_common.errors import Failure
from snac_eval.models.run_metrics import Curve, read_run_metrics
from snac_eval.report.figures import MAX_POINTS, loss_figure, thinned

ENTRIES = [
    {"kind": "baseline", "step": 0, "stage": "warmup", "48k/loss": 3.0},
    {"kind": "train", "step": 1, "stage": "warmup", "48k/loss": 2.5, "24k/loss": None, "lr/a": 1},
    {"kind": "train", "step": 2, "stage": "main", "48k/loss": 2.0, "24k/loss": 1.0},
    {"kind": "val", "step": 2, "stage": "main", "48k/loss": 1.9},
]


def write(run: Path, text: str) -> Path:
    (run / "metrics.jsonl").write_text(text, encoding="utf-8")
    return run


def test_curves_by_kind_and_name(tmp_path: Path) -> None:
    metrics = read_run_metrics(write(tmp_path, "".join(json.dumps(e) + "\n" for e in ENTRIES)))
    assert metrics is not None
    assert metrics.curves["train", "48k/loss"] == Curve([1, 2], [2.5, 2.0])
    assert metrics.curves["train", "24k/loss"] == Curve([2], [1.0])
    assert metrics.curves["val", "48k/loss"] == Curve([2], [1.9])
    assert metrics.stages == {"warmup": 0, "main": 1}


def test_a_line_that_is_still_being_written_is_left_out(tmp_path: Path) -> None:
    text = json.dumps(ENTRIES[0]) + "\n" + json.dumps(ENTRIES[1])[:20]
    metrics = read_run_metrics(write(tmp_path, text))
    assert metrics is not None
    assert list(metrics.curves) == [("baseline", "48k/loss")]


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[1]",
        '{"kind": "val"}',
        '{"step": "one"}',
        '{"step": true}',
        '{"step": 1, "kind": []}',
        '{"step": 1, "stage": {}}',
        '{"step": 1, "samples_seen": "many"}',
        '{"step": 1, "epoch": "first"}',
        '{"step": 1, "kind": "length", "48k/loss": 1.0}',
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(Failure, match="line 2"):
        read_run_metrics(write(tmp_path, json.dumps(ENTRIES[0]) + f"\n{line}\n"))


def test_a_model_that_no_run_made_has_no_curves(tmp_path: Path) -> None:
    assert read_run_metrics(tmp_path) is None


@given(st.integers(1, 5000))
def test_thinning_averages_every_value_once(count: int) -> None:
    steps = np.arange(count)
    few, values = thinned(steps, 2.0 * steps)
    assert len(few) == min(count, MAX_POINTS)
    assert (np.diff(few) > 0).all()
    assert values == pytest.approx(2 * few)
    assert few[0] + few[-1] >= count - 1 - count / MAX_POINTS


def test_a_drawing_takes_its_colours_from_the_page() -> None:
    steps = np.arange(10)
    drawing = loss_figure({"train": (steps, 1.0 / (steps + 1))}, {"warmup": 0, "main": 5})
    assert "main after 5" in drawing
    assert "currentColor" in drawing
    assert "#0" not in drawing
