"""Finding models by the names that people give them."""

import os
from pathlib import Path

import pytest

from snac_common.artifacts import Artifacts
from snac_common.errors import BadInput
from snac_eval.models.evaluated import ModelSource, find_model, find_models, newest_run


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    """Two runs with a best model each; the one named last was written to first."""
    for age, name in enumerate(["new", "old"]):
        (tmp_path / "runs" / name / "best").mkdir(parents=True)
        (tmp_path / "runs" / name / "best_24k").mkdir()
        log = tmp_path / "runs" / name / "metrics.jsonl"
        log.write_text("")
        os.utime(log, (1000 - age, 1000 - age))
    return Artifacts(tmp_path)


def test_a_run_by_name_and_by_folder_is_its_best_model(artifacts: Artifacts) -> None:
    run = artifacts.run("old")
    expected = ModelSource("old", str(run / "best"), run)
    assert find_model("old", artifacts) == expected
    assert find_model(str(run), artifacts) == expected


def test_a_models_folder_in_a_run_is_that_model(artifacts: Artifacts) -> None:
    run = artifacts.run("old")
    place = find_model(str(run / "best_24k"), artifacts)
    assert place == ModelSource("old/best_24k", str(run / "best_24k"), run)


def test_any_other_name_is_left_to_the_loader(artifacts: Artifacts) -> None:
    for name in ("owner/model", "builtin:speech-small"):
        assert find_model(name, artifacts) == ModelSource(name, name)
    with pytest.raises(BadInput, match="there is no run nothing"):
        find_model("nothing", artifacts)


def test_the_run_written_to_last_is_the_newest(artifacts: Artifacts) -> None:
    assert newest_run(artifacts).name == "new"
    os.utime(artifacts.run("old") / "metrics.jsonl", (2000, 2000))
    assert newest_run(artifacts).name == "old"


def test_equal_names_are_told_apart(artifacts: Artifacts) -> None:
    places = find_models(["old", "old"], "old", artifacts)
    assert [place.name for place in places] == ["old", "old (2)", "old (3)"]


def test_names_that_stand_for_something_else_are_numbered(artifacts: Artifacts) -> None:
    """The reference, and the base resampled, are rows of the results too."""
    for name in ("reference", "old resampled", "reference (2) resampled"):
        (artifacts.run(name) / "best").mkdir(parents=True)
        (artifacts.run(name) / "metrics.jsonl").write_text("")
    found = find_models(["reference", "old resampled"], "old", artifacts)
    assert [model.name for model in found] == ["old", "reference (2)", "old resampled (2)"]
    found = find_models(["reference (2) resampled"], "reference", artifacts)
    assert [model.name for model in found] == ["reference (2)", "reference (2) resampled (2)"]
