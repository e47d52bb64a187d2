"""Half precision and compiled blocks change the speed, not what is learnt."""

import json
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
import torch
from training import manifest_of, small_recipe

from snac_model import load
from snac_train.session.train import Request, train


def validation(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").open()]
    return [line for line in lines if line["kind"] in ("baseline", "val")]


@pytest.fixture(scope="module")
def plain(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("plain") / "run"
    train(small_recipe(curriculum__epochs="2"), Request(voices, manifest_of(voices), folder, "cpu"))
    return validation(folder)


def test_bf16_learns_the_same_with_weights_and_losses_in_float32(
    voices: Path, tmp_path: Path, plain: list[dict[str, Any]]
) -> None:
    recipe = small_recipe(curriculum__epochs="2", optimizer__precision="bf16")
    train(recipe, Request(voices, manifest_of(voices), tmp_path / "run", "cpu"))
    half = validation(tmp_path / "run")
    assert half[0] == plain[0], "the untouched model is measured in float32 whatever is trained in"
    assert half[-1]["loss"] != plain[-1]["loss"], "nothing was trained in bf16"
    for ours, theirs in zip(half, plain, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=0.02)
    weights = load(tmp_path / "run/best").state_dict().values()
    assert {weight.dtype for weight in weights} == {torch.float32}


def test_compiled_blocks_learn_the_same_under_the_same_names(
    voices: Path, tmp_path: Path, plain: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what torch traces run as it is: to generate C++ for it would take minutes here."""
    traced = partialmethod(torch.nn.Module.compile, backend="aot_eager")
    monkeypatch.setattr(torch.nn.Module, "compile", traced)
    recipe = small_recipe(curriculum__epochs="2", model__compile="true")
    train(recipe, Request(voices, manifest_of(voices), tmp_path / "run", "cpu"))
    for ours, theirs in zip(validation(tmp_path / "run"), plain, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-3)
    load(tmp_path / "run/best")
