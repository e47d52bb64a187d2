"""What only a GPU shows of training: the same losses, precisions, resume, memory, launch."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training import manifest_of, small_recipe
from whole_runs import RECIPE, metrics, settings
from workplace import command

from snac_train.data.inputs import open_inputs
from snac_train.data.reading import Segments
from snac_train.data.slices import Draws
from snac_train.distributed.processes import Processes
from snac_train.session.run_setup import Start
from snac_train.session.train import Request, train
from snac_train.training.stage import Stage
from snac_train.training.step_memory import repeated
from snac_train.training.trained import Trained

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


def losses(folder: Path) -> list[float]:
    return [line["loss"] for kind in ("train", "val") for line in metrics(folder, kind)]


def run(codes: Path, folder: Path, device: str, **options: Any) -> list[float]:
    """Train with readers of their own, and return the losses of steps and validations."""
    start = options.pop("start", Start())
    recipe = small_recipe(**options)
    train(recipe, Request(codes, manifest_of(codes), folder, device, workers=2, start=start))
    return losses(folder)


@pytest.fixture(scope="module")
def on_a_cpu(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    return run(voices, tmp_path_factory.mktemp("cpu") / "run", "cpu", **SLOW)


SLOW = {"optimizer__warmup_lr": "2e-4", "optimizer__main_lr": "2e-4"}


@pytest.mark.parametrize(
    ("how", "near"),
    [
        ({"optimizer__precision": "fp32"}, 1e-3),
        ({"optimizer__precision": "tf32"}, 1e-2),
        ({"optimizer__precision": "bf16"}, 0.03),
        ({"model__compile": "true"}, 1e-2),
    ],
    ids=["fp32", "tf32", "bf16", "compiled"],
)
def test_a_gpu_learns_what_a_cpu_does(
    voices: Path, tmp_path: Path, on_a_cpu: list[float], how: dict[str, str], near: float
) -> None:
    found = run(voices, tmp_path / "run", "cuda", **SLOW, **how)
    assert found == pytest.approx(on_a_cpu, rel=near)


def test_a_resumed_run_comes_to_what_it_was(voices: Path, tmp_path: Path) -> None:
    whole = run(voices, tmp_path / "run", "cuda", **SLOW, checkpoint__every_steps="1")
    checkpoint = min((tmp_path / "run/checkpoints").glob("step-*"))
    start = Start(resume=True, checkpoint=checkpoint)
    again = run(voices, tmp_path / "run", "cuda", **SLOW, checkpoint__every_steps="1", start=start)
    assert again == pytest.approx(whole, rel=1e-3)


def test_a_step_takes_the_memory_that_was_foreseen(voices: Path) -> None:
    recipe, processes = small_recipe(), Processes("cuda")
    inputs = open_inputs(recipe, voices, manifest_of(voices))
    inputs.model.to(processes.device)
    source, draws = inputs.source(recipe), Draws.for_epoch(0, 0)

    def silence(tokens: int) -> Any:
        return source.dataset(Segments("train", tokens, draws)).silence().to(processes.device)

    trained = Trained.of("main", inputs.model, recipe)
    trained.objective.to(processes.device)
    memory = trained.memory(silence)
    stage = Stage("main", 4, inputs.model, recipe, processes)
    for tokens, items in ((38, 8), (76, 8), (38, 64)):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        stage.step([repeated(silence(tokens), items)], True, items).read()
        taken = torch.cuda.max_memory_allocated() - before
        assert taken < 1.15 * memory.of(tokens, items)
        assert taken > 0.4 * memory.of(tokens, items)


def test_a_step_waits_for_the_device_only_when_it_is_read(voices: Path) -> None:
    recipe, processes = small_recipe(), Processes("cuda")
    inputs = open_inputs(recipe, voices, manifest_of(voices))
    inputs.model.to(processes.device)
    segments = Segments("train", 38, Draws.for_epoch(0, 1))
    batch = inputs.source(recipe).dataset(segments).batch(np.arange(2)).to(processes.device)
    stage = Stage("main", 4, inputs.model, recipe, processes)
    stage.step([batch], True, 2).read()  # kernels are chosen, and memory is had
    torch.cuda.set_sync_debug_mode("error")
    try:
        pending = stage.step([batch], True, 2)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert np.isfinite(pending.read().sums["loss"])


def test_the_launcher_gives_each_gpu_a_process(voices: Path, tmp_path: Path) -> None:
    place = ("--artifacts", tmp_path, "--codes", voices, "--manifest", manifest_of(voices))
    line = command("snac_train", "--phase", 12, *place, "--run", "one", "--gpus", "0")
    done = subprocess.run(
        [*line, *settings(RECIPE)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert len(losses(tmp_path / "runs/one")) > 4
