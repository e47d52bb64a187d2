"""One run from its inputs to its summary."""

from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from snac_model.console import Terminated
from snac_model.devices import available_cores, choose_device
from snac_model.weights import weights_sha256
from snac_train.curriculum import Epoch, describe, plan_epochs, segment_in_words
from snac_train.inputs import Inputs, open_inputs
from snac_train.objective import DualHeadObjective
from snac_train.recipe import Recipe
from snac_train.run_folder import SCORES, RunFolder
from snac_train.trainer import Trainer
from snac_train.validation import Validator, validation_segments

LIBRARIES = ("accelerate", "torch", "torchaudio")


def train(
    recipe: Recipe, codes: Path, run: Path, device: str, workers: int | None
) -> dict[str, Any]:
    """Run a recipe on the cache in ``codes`` and leave everything in the folder ``run``.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.
        workers: processes that read ahead; None for 0 on a CPU and up to 8 beside a GPU.

    Returns:
        The command's summary.

    Raises:
        Failure: if the inputs do not fit together, or training cannot go on.
    """
    device = choose_device(device)
    if workers is None:
        workers = 0 if device == "cpu" else min(8, available_cores())
    inputs = open_inputs(recipe, codes)
    epochs = plan_epochs(recipe.curriculum, inputs.model.geometry, len(inputs.train))
    folder = RunFolder.create(run)
    try:
        trainer = _make_trainer(recipe, inputs, folder, device, workers)
        _begin(folder, recipe, inputs, epochs, device)
        trainer.run(epochs)
    except BaseException as error:
        _end_early(folder, error)
        raise
    folder.update(state="finished")
    folder.say("finished")
    return _summary(folder, trainer, inputs)


def _make_trainer(
    recipe: Recipe, inputs: Inputs, folder: RunFolder, device: str, workers: int
) -> Trainer:
    accelerator = Accelerator(cpu=device == "cpu", mixed_precision="no")
    geometry = inputs.model.geometry
    context = geometry.context_tokens if recipe.data.context else 0
    segments = validation_segments(inputs.val, geometry, context, recipe.validation)
    return Trainer(
        recipe,
        DualHeadObjective(inputs.model, recipe.loss).to(accelerator.device),
        inputs.train,
        context=context,
        validator=Validator(segments, recipe.validation.batch_size, workers, accelerator.device),
        folder=folder,
        accelerator=accelerator,
        workers=workers,
    )


def _begin(
    folder: RunFolder, recipe: Recipe, inputs: Inputs, epochs: Sequence[Epoch], device: str
) -> None:
    """Write down what is about to happen, and say it."""
    folder.write_recipe(recipe.to_toml())
    folder.update(
        state="running",
        base=inputs.base,
        base_sha256=weights_sha256([inputs.model]),
        cache=asdict(inputs.train.store.identity),
        counts=inputs.counts(),
        versions={library: import_module(library).__version__ for library in LIBRARIES},
        device=device,
    )
    folder.say(f"run {folder.path}, from {inputs.base}, on {device}")
    _say_counts(folder, inputs.counts())
    geometry = inputs.model.geometry
    for line in describe(epochs, geometry):
        folder.say(line)
    tokens = geometry.coarse_tokens(recipe.validation.segment_s)
    folder.say(f"validation: segments of up to {segment_in_words(tokens, geometry)}")


def _say_counts(folder: RunFolder, counts: dict[str, int]) -> None:
    for split in ("train", "val"):
        left_out = counts[f"{split}_without_target"]
        reason = f"; {left_out} without a 48 kHz target are left out" if left_out else ""
        folder.say(f"{split}: {counts[split]} utterances{reason}")


def _end_early(folder: RunFolder, error: BaseException) -> None:
    if isinstance(error, KeyboardInterrupt | Terminated):
        folder.update(state="stopped")
        folder.say(f"stopped; the best models so far are in {folder.path}")
    else:
        folder.update(state="failed", message=str(error))
        folder.say(f"failed: {error}")


def _summary(folder: RunFolder, trainer: Trainer, inputs: Inputs) -> dict[str, Any]:
    """Say how far each best score lies under the untouched model's."""
    position, scores, baseline = trainer.tracker.position, trainer.best.scores, trainer.baseline
    return {
        "run": str(folder.path),
        "epochs": position.epoch,
        "steps": position.step,
        **inputs.counts(),
        "baseline": {name: baseline[SCORES[name]] for name in scores},
        "best": {name: best["score"] for name, best in scores.items()},
        "improvement_percent": {
            name: round(100 * (1 - best["score"] / baseline[SCORES[name]]), 2)
            for name, best in scores.items()
        },
    }
