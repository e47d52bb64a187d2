"""Half precision and compiled blocks change the speed, not what is learnt."""

import json
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
import torch
from training import manifest_of, small_recipe

from snac_common.errors import Failure
from snac_model import load
from snac_model.layers.convolutions import ResidualUnit
from snac_train.session.pieces import Pieces
from snac_train.session.train import Request, train
from snac_train.training import compilation, objective
from snac_train.training.objective import Losses, Objective
from snac_train.training.stage import PendingStep, Stage


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
    assert half[0] == plain[0], "the starting model is measured in float32 whatever is trained in"
    assert half[-1]["loss"] != plain[-1]["loss"], "nothing was trained in bf16"
    for ours, theirs in zip(half, plain, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=0.02)
    weights = load(tmp_path / "run/best").state_dict().values()
    assert {weight.dtype for weight in weights} == {torch.float32}


@pytest.mark.parametrize("precision", [pytest.param("fp32", marks=pytest.mark.campaign), "tf32"])
def test_tf32_is_a_choice_and_never_that_of_references_or_validation(
    voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    found: dict[str, set[bool]] = {"trains": set(), "measures": set(), "resamples": set()}

    def allowed() -> bool:
        matmul = torch.backends.cuda.matmul.allow_tf32
        assert torch.backends.cudnn.allow_tf32 == matmul
        return matmul

    decode, resample = Objective.decode_segments, objective.resample

    def decode_segments(self: Objective, *arguments: Any) -> Losses:
        found["trains" if torch.is_grad_enabled() else "measures"].add(allowed())
        return decode(self, *arguments)

    def resampled(*arguments: Any) -> torch.Tensor:
        found["resamples"].add(allowed())
        return resample(*arguments)

    monkeypatch.setattr(Objective, "decode_segments", decode_segments)
    monkeypatch.setattr(objective, "resample", resampled)
    recipe = small_recipe(curriculum__epochs="1", optimizer__precision=precision)
    train(recipe, Request(voices, manifest_of(voices), tmp_path / "run", "cpu"))
    assert found == {"trains": {precision == "tf32"}, "measures": {False}, "resamples": {False}}


# of both stages a step or two, and few lengths: each one is traced, which takes its time
FEW = {"curriculum__epochs": "2", "data__limit": "2", "validation__limit": "1"}
FEW |= {"validation__segment_s": "0.2", "validation__curriculum": "false"}
FEW |= {"optimizer__accumulate": "1"}


def dilation_of(unit: ResidualUnit) -> int:
    return max(
        max(layer.dilation) for layer in unit.modules() if isinstance(layer, torch.nn.Conv1d)
    )


@pytest.mark.campaign
def test_every_block_runs_compiled_in_every_stage(
    voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what torch traces run as it is; its gradients are the layers' own tests.

    Of the units of a block, which differ in their dilation, torch traces one: each takes its
    time, for every mode and length. The others only count.
    """
    runs = 0

    def counted(graph: Callable[..., Any], inputs: list[Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            nonlocal runs
            runs += 1
            return graph(*arguments, **options)

        return run

    compile_module = torch.nn.Module.compile

    def compile_one(module: torch.nn.Module) -> None:
        if isinstance(module, ResidualUnit) and dilation_of(module) != 3:
            module._compiled_call_impl = counted(module._call_impl, [])
        else:
            compile_module(module, backend=counted)

    monkeypatch.setattr(torch.nn.Module, "compile", compile_one)
    per_step: dict[str, set[int]] = {"warmup": set(), "main": set()}
    step = Stage.step

    def observed(self: Stage, *arguments: Any, **options: Any) -> PendingStep:
        before = runs
        pending = step(self, *arguments, **options)
        per_step[self.name].add(runs - before)
        return pending

    monkeypatch.setattr(Stage, "step", observed)
    monkeypatch.setattr(Pieces, "choose", lambda *_: None)  # it would trace a step on silence
    recipe = small_recipe(model__compile="true", **FEW)
    train(recipe, Request(voices, manifest_of(voices), tmp_path / "run", "cpu"))
    blocks = 3  # two of the trunk, one of the 48 kHz head
    assert per_step == {stage: {blocks * (3 + 1)} for stage in per_step}  # units, and the noise
    train(small_recipe(**FEW), Request(voices, manifest_of(voices), tmp_path / "plain", "cpu"))
    measured = [validation(tmp_path / name) for name in ("run", "plain")]
    for ours, theirs in zip(*measured, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-3)
    load(tmp_path / "run/best")


def test_what_cannot_be_compiled_is_said(
    voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    eager = partialmethod(torch.nn.Module.compile, backend="aot_eager")
    monkeypatch.setattr(torch.nn.Module, "compile", eager)
    monkeypatch.setattr(compilation, "MOST_GRAPHS_OF_ONE_CODE", 2)
    with pytest.raises(Failure, match=r"cannot compile the decoder.*model\.compile=false"):
        train(
            small_recipe(model__compile="true"),
            Request(voices, manifest_of(voices), tmp_path / "run", "cpu"),
        )
