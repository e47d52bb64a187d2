"""A loss that is not finite: named, saved before, and tolerated only where that was asked for."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from training import small_recipe
from whole_runs import run

from snac_common.errors import Failure
from snac_train.data.segments import Batch
from snac_train.run.checkpoints.checkpoint import damage
from snac_train.session.run_setup import Start
from snac_train.training.objective import Losses, Objective

BAD = "in/train/2"
TWICE = small_recipe(curriculum__epochs="2")  # in which it is met once each


@pytest.fixture
def bad_utterance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the loss of one utterance overflow, as a very loud one's does in half precision."""
    compare = Objective.compare

    def overflow(self: Objective, outputs: Losses, batch: Batch) -> Losses:
        losses = compare(self, outputs, batch)
        added = torch.tensor([np.inf if name == BAD else 0.0 for name in batch.utterance_ids])
        return {name: value + added for name, value in losses.items()}

    monkeypatch.setattr(Objective, "compare", overflow)


@pytest.mark.usefixtures("bad_utterance")
def test_the_run_stops_and_names_the_utterance(voices: Path, tmp_path: Path) -> None:
    with pytest.raises(Failure, match=f"not finite in step \\d+, for {BAD};"):
        run(small_recipe(), voices, tmp_path / "run")
    state = json.loads((tmp_path / "run/run.json").read_text())
    assert state["state"] == "failed"
    (checkpoint,) = (tmp_path / "run/checkpoints").iterdir()
    assert damage(checkpoint) is None


@pytest.mark.usefixtures("bad_utterance")
def test_so_many_steps_may_be_skipped(voices: Path, tmp_path: Path) -> None:
    with pytest.raises(Failure, match="--skip-non-finite 2"):
        run(TWICE, voices, tmp_path / "one", skip_non_finite=1)
    summary = run(TWICE, voices, tmp_path / "two", skip_non_finite=2)
    assert summary["skipped"] == 2
    lines = [json.loads(line) for line in (tmp_path / "two/metrics.jsonl").open()]
    without = [line for line in lines if line["kind"] == "train" and "loss" not in line]
    assert len(without) == 2
    log = (tmp_path / "two/train.log").read_text()
    assert log.count(f"is skipped: not finite for {BAD}") == 2


@pytest.mark.usefixtures("bad_utterance")
def test_a_stopped_run_goes_on_when_told_to_skip(voices: Path, tmp_path: Path) -> None:
    whole = run(TWICE, voices, tmp_path / "whole", skip_non_finite=2)
    with pytest.raises(Failure, match="--resume --skip-non-finite 1"):
        run(TWICE, voices, tmp_path / "run")
    start = Start(resume=True)
    summary = run(TWICE, voices, tmp_path / "run", skip_non_finite=2, start=start)
    assert summary["best"] == whole["best"]


def test_a_gradient_that_is_not_finite_changes_no_weight(
    voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> torch.Tensor:
        return torch.tensor(torch.nan)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", broken)
    with pytest.raises(Failure, match=r"for in/train/\d, in/train/\d;"):
        run(small_recipe(), voices, tmp_path / "run")


def test_weights_that_explode_stop_the_run(voices: Path, tmp_path: Path) -> None:
    recipe = small_recipe(optimizer__warmup_lr="1e30", optimizer__main_lr="1e30")
    with pytest.raises(Failure, match="not finite"):
        run(recipe, voices, tmp_path / "run")
