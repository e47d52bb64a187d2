"""What a run's improvement is over: what there is without training, never an untrained head."""

import json
from pathlib import Path
from typing import Any

import pytest
from training import small_recipe
from whole_runs import metrics, run

from snac_model import DualHeadSNAC, load, save
from snac_train.session.yardstick import improvements, to_beat, warnings_of

BASELINE = {
    "loss": 0.3 * 2 + 5,
    "24k/loss": 2.0,
    "48k/loss": 5.0,
    "resampled/48k/loss": 3.0,
    "resampled/48k/l1": 0.1,
}


def test_a_new_48k_head_must_beat_the_starting_model_resampled() -> None:
    beaten = to_beat(BASELINE, weight_48k=1.0)
    assert (beaten["24k/loss"], beaten["48k/loss"]) == (2.0, 3.0)
    assert beaten["loss"] == pytest.approx(0.3 * 2 + 3)


def test_a_head_that_the_starting_model_has_must_beat_itself() -> None:
    own = {"loss": 7.0, "48k/loss": 5.0}
    assert to_beat(own, weight_48k=1.0) == own


def test_what_is_worse_than_no_training_is_said_in_words() -> None:
    best = {"combined": 3.0, "24k": 1.8, "48k": 3.3}
    percent = improvements(best, to_beat(BASELINE, weight_48k=1.0))
    assert percent["48k"] == pytest.approx(-10)
    assert percent["24k"] == pytest.approx(10)
    (warning,) = warnings_of(percent, best, BASELINE, weight_48k=1.0)
    assert "10.0 % higher" in warning
    assert "resampled" in warning
    assert "3.3000 against 3.0000" in warning


@pytest.fixture(scope="module")
def finished(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("yardstick") / "run"
    return folder, run(small_recipe(curriculum__epochs="2"), voices, folder)


def test_the_summary_measures_against_the_starting_model_resampled(
    finished: tuple[Path, dict[str, Any]],
) -> None:
    folder, summary = finished
    (start,) = metrics(folder, "baseline")
    expected = 100 * (1 - summary["best"]["48k"] / start["resampled/48k/loss"])
    assert summary["improvement_percent"]["48k"] == pytest.approx(expected, abs=0.01)
    assert summary["starting_model"]["48k"] == start["48k/loss"]
    assert summary["resampled"] == {"48k": start["resampled/48k/loss"]}
    log = (folder / "train.log").read_text(encoding="utf-8")
    assert f"starting model: loss {start['loss']:.4f}" in log
    assert f"resampled 48k/loss {start['resampled/48k/loss']:.4f}" in log


def test_a_run_that_is_worse_than_its_start_ends_with_a_warning(
    voices: Path, tmp_path: Path
) -> None:
    wild = {f"optimizer__{name}": "5" for name in ("warmup_lr", "main_lr", "head_24k_lr")}
    summary = run(small_recipe(curriculum__epochs="2", **wild), voices, tmp_path / "run")
    assert min(summary["improvement_percent"].values()) < 0
    log = (tmp_path / "run" / "train.log").read_text(encoding="utf-8")
    assert "warning: " in log
    assert "worse than no training" in log
    assert json.loads((tmp_path / "run" / "run.json").read_text())["warnings"]


def test_a_run_from_a_model_with_a_48k_head_must_beat_that_head(
    voices: Path, base: Any, tmp_path: Path
) -> None:
    save(DualHeadSNAC.from_base(base), tmp_path / "dual")
    recipe = small_recipe(curriculum__epochs="2", model__base=str(tmp_path / "dual"))
    summary = run(recipe, voices, tmp_path / "run")
    (start,) = metrics(tmp_path / "run", "baseline")
    assert "resampled/48k/loss" not in start
    expected = 100 * (1 - summary["best"]["48k"] / start["48k/loss"])
    assert summary["improvement_percent"]["48k"] == pytest.approx(expected, abs=0.01)
    assert load(tmp_path / "run" / "best")
