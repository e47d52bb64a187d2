"""A device may be asked for the next step before the figures of the last are read: all the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training import small_recipe
from whole_runs import metrics, run

from snac_common.errors import Failure
from snac_train.data.segments import Batch
from snac_train.session import steps_ahead
from snac_train.training.objective import Losses, Objective

BAD = "in/train/2"


@pytest.fixture(params=[0, 2])
def ahead(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setitem(steps_ahead.STEPS_AHEAD, "cpu", request.param)
    count: int = request.param
    return count


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """What came of each way of doing it."""
    return {}


def content(folder: Path) -> list[Any]:
    lines = [
        {name: value for name, value in line.items() if name not in SPEEDS}
        for kind in ("train", "val")
        for line in metrics(folder, kind)
    ]
    files = sorted(folder.glob("checkpoints/step-*/model.safetensors"))
    return [lines, [(path.parent.name, path.read_bytes()) for path in files]]


SPEEDS = ("samples_per_s", "waited_for_data")


def test_a_run_comes_to_the_same(
    voices: Path, tmp_path: Path, ahead: int, seen: dict[str, Any]
) -> None:
    often = {"checkpoint__every_steps": "2", "checkpoint__keep": "99"}
    recipe = small_recipe(curriculum__epochs="2", **often)
    run(recipe, voices, tmp_path / "run")
    assert content(tmp_path / "run") == seen.setdefault("whole", content(tmp_path / "run"))
    steps = [name for name, _ in content(tmp_path / "run")[1]]
    assert steps == [f"step-{step:08d}" for step in (2, 3, 4, 6)]


def test_a_step_that_is_not_finite_stops_it_where_it_was(
    voices: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ahead: int,
    seen: dict[str, Any],
) -> None:
    """Whatever was asked for after it has changed nothing."""
    compare = Objective.compare

    def overflow(self: Objective, outputs: Losses, batch: Batch) -> Losses:
        added = torch.tensor([np.inf if name == BAD else 0.0 for name in batch.utterance_ids])
        return {name: value + added for name, value in compare(self, outputs, batch).items()}

    monkeypatch.setattr(Objective, "compare", overflow)
    with pytest.raises(Failure, match=f"not finite in step \\d+, for {BAD};") as raised:
        run(small_recipe(curriculum__batch_size="1"), voices, tmp_path / "run")
    found = [str(raised.value), *content(tmp_path / "run")]
    assert found == seen.setdefault("stopped", found)
