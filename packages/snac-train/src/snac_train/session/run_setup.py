"""The first acts of a run: its folder, where it goes on from, and what it says about itself."""

import os
import platform
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from snac_cache.store.code_store import not_encoded_yet
from snac_common.devices import available_cores
from snac_common.processes import process_started
from snac_common.wandb_key import choose_mode
from snac_train.data.inputs import Inputs
from snac_train.distributed.processes import Processes
from snac_train.recipe.advice import too_few_steps
from snac_train.recipe.curriculum import Epoch, describe, segment_in_words
from snac_train.recipe.files import merged
from snac_train.recipe.tables import Recipe
from snac_train.run.best_models import BestModels
from snac_train.run.checkpoints.checkpoint import Checkpoint, check_whole, read_checkpoint
from snac_train.run.checkpoints.compatibility import changed_fields, check_unchanged
from snac_train.run.checkpoints.rotation import Checkpoints
from snac_train.run.rejects import Rejects
from snac_train.run.run_folder import RunFolder, now
from snac_train.run.wandb_run import WandbRun

COMPARED = ("base", "base_sha256", "cache", "counts", "hours", "data")  # what comparable runs share
LIBRARIES = ("accelerate", "torch", "torchaudio")


@dataclass(frozen=True)
class Start:
    """How a run is to begin.

    Attributes:
        resume: go on with the run that is in the folder.
        checkpoint: go on from this one, not from the newest that is whole.
        allow_changed: settings that may differ from the checkpoint's.
        wandb: ``online``, ``offline`` or ``disabled``.
    """

    resume: bool = False
    checkpoint: Path | None = None
    allow_changed: tuple[str, ...] = ()
    wandb: str = "disabled"


def open_folder(folder: RunFolder, start: Start, processes: Processes) -> None:
    """Make or reopen a run's folder, once for all processes; raises Failure in all of them."""
    processes.on_main(folder.reopen if start.resume else folder.create)


def find_checkpoint(
    folder: RunFolder, start: Start, recipe: Recipe, facts: dict[str, Any], processes: Processes
) -> Checkpoint | None:
    """Return the checkpoint to go on from; None for a run that starts, or that has none yet.

    Raises:
        Failure: if it is damaged, or if the run has changed since.
    """

    def find() -> Path | None:
        if not start.resume:
            return None
        named = start.checkpoint
        return check_whole(named) if named else _checkpoints(folder, recipe).newest_whole()

    path = processes.on_main(find)
    if path is None:
        return None
    checkpoint = read_checkpoint(path)
    then = merged(checkpoint.state["recipe"], checkpoint.state["facts"])
    check_unchanged(then, merged(asdict(recipe), facts), start.allow_changed)
    return checkpoint


def _checkpoints(folder: RunFolder, recipe: Recipe) -> Checkpoints:
    return Checkpoints(folder.path / "checkpoints", recipe.checkpoint.keep)


def rewind(
    folder: RunFolder,
    checkpoint: Checkpoint | None,
    recipe: Recipe,
    best: BestModels,
    rejects: Rejects,
) -> None:
    """Take back what the run wrote after the checkpoint, all of it if there is none.

    Best models of later steps are set aside, and all of them if they were chosen by other scores.
    """
    state: dict[str, Any] = checkpoint.state if checkpoint else {}
    step = state["tracker"]["position"]["step"] if state else -1
    best.set_aside(step, all_of_them=bool(state) and _scores_otherwise(state, recipe))
    if folder.writes:
        folder.metrics.cut(state.get("metrics_bytes", 0))
        rejects.lines.cut(state["rejects"]["bytes"] if state else 0)
        _checkpoints(folder, recipe).set_aside(step)


def _scores_otherwise(state: dict[str, Any], recipe: Recipe) -> bool:
    """Say whether validation measures something else than when a checkpoint was written."""
    changed = changed_fields(state["recipe"], asdict(recipe))
    return any(name.startswith(("validation.", "loss.")) for name in changed)


def record_start(
    folder: RunFolder,
    recipe: Recipe,
    inputs: Inputs,
    *,
    epochs: Sequence[Epoch],
    processes: Processes,
    facts: dict[str, Any],
) -> None:
    """Write down what is about to happen, and say it."""
    folder.write_recipe(recipe.to_toml())
    folder.update(
        state="running",
        pid=os.getpid(),
        process_started=process_started(os.getpid()),
        host=os.uname().nodename,
        started=now(),
        command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        hardware=_hardware(processes),
        processes=processes.world_size,
        device=str(processes.device),
        base=inputs.base,
        base_sha256=facts["base"]["sha256"],
        cache=asdict(inputs.cache) if inputs.cache else None,
        manifest=inputs.manifest,
        counts=inputs.counts(),
        hours=inputs.hours(),
        data=facts["data"],
        plan={
            "epochs": len(epochs),
            "steps": sum(epoch.steps for epoch in epochs),
            "samples": len(epochs) * len(inputs.train),
        },
        versions={library: import_module(library).__version__ for library in LIBRARIES},
    )
    plural = f"{processes.world_size} processes" if processes.world_size > 1 else "1 process"
    folder.log(f"run {folder.path}, from {inputs.base}, on {processes.device.type}, {plural}")
    _say_counts(folder, inputs, recipe)
    geometry = inputs.model.geometry
    for line in describe(epochs, geometry):
        folder.log(line)
    if advice := too_few_steps(recipe, epochs, len(inputs.train), inputs.train.hours):
        folder.log(f"warning: {advice}")
    tokens = geometry.coarse_tokens(recipe.validation.segment_s)
    folder.log(f"validation: segments of up to {segment_in_words(tokens, geometry)}")


def _hardware(processes: Processes) -> str:
    """Say what is trained on: ``4 x NVIDIA H100``, ``CPU x86_64, 16 cores``."""
    if processes.device.type == "cuda":
        import torch

        return f"{processes.world_size} x {torch.cuda.get_device_name(processes.device)}"
    return f"CPU {platform.machine()}, {available_cores()} cores"


def start_wandb(
    folder: RunFolder, recipe: Recipe, mode: str, checkpoint: Checkpoint | None
) -> None:
    """Open the run in W&B, or go on with the one that it had.

    A run that goes on with other settings is a new one there, as W&B never replaces a step; the
    lines so far are logged to it first.
    """
    if mode == "disabled" or not folder.writes:
        return
    same = checkpoint and not changed_fields(checkpoint.state["recipe"], asdict(recipe))
    run_id = folder.state.get("wandb_id") if same else None
    name, mode = folder.path.name, choose_mode(mode)
    facts = {fact: folder.state[fact] for fact in COMPARED}
    config = {**asdict(recipe), "run": facts}
    folder.wandb = WandbRun(
        mode, folder.path, name, config=config, tracking=recipe.tracking, run_id=run_id
    )
    if folder.wandb.id != run_id:
        for number, fields in enumerate(folder.metrics.read()):
            folder.wandb.log(fields, number)
    folder.update(wandb_id=folder.wandb.id)
    folder.log(f"W&B ({mode}): {folder.wandb.where}")


def _say_counts(folder: RunFolder, inputs: Inputs, recipe: Recipe) -> None:
    counts = inputs.counts()
    for split, condition in (("train", recipe.data.where), ("val", recipe.validation.where)):
        left_out = counts[f"{split}_without_target"]
        selected = f", where {condition}" if condition.strip() else ""
        reason = f"; {left_out} without a 48 kHz target are left out" if left_out else ""
        folder.log(f"{split}: {counts[split]} utterances{selected}{reason}")
    if narrow := inputs.narrow_targets():
        folder.log(f"warning: {narrow}")
    if inputs.unlisted:
        folder.log(f"{inputs.unlisted} cached utterances are not in {inputs.manifest}: left out")
    if inputs.not_encoded:
        folder.log(not_encoded_yet(inputs.not_encoded))
