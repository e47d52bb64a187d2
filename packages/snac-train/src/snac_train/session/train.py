"""One run from its inputs to its summary."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from snac_common.devices import available_cores
from snac_common.errors import Failure
from snac_common.run_mirror import send_run
from snac_common.tool import Terminated
from snac_model.audio.memory import is_out_of_memory
from snac_model.codec.weights import weights_sha256
from snac_train.data.inputs import Inputs, open_inputs
from snac_train.data.loading import Readers
from snac_train.distributed.processes import Processes
from snac_train.distributed.signals import Requests
from snac_train.recipe.curriculum import plan_epochs
from snac_train.recipe.heads import head_start
from snac_train.recipe.tables import Recipe
from snac_train.run.best_models import SCORES
from snac_train.run.checkpoints.saving import Saver
from snac_train.run.rejects import Rejects
from snac_train.run.run_folder import RunFolder
from snac_train.session.measures import Measures
from snac_train.session.run_setup import (
    Start,
    find_checkpoint,
    open_folder,
    record_start,
    rewind,
    start_wandb,
)
from snac_train.session.trainer import Trainer
from snac_train.session.yardstick import NEW_HEAD, improvements, to_beat
from snac_train.training.compilation import compile_decoder, say_what_cannot_be_compiled
from snac_train.training.validation import Validators


@dataclass(frozen=True)
class Request:
    """What a run is asked for besides its recipe.

    Attributes:
        codes: folder of the cached codes.
        manifest: folder or file that says what is known of the utterances.
        run: the run's folder.
        device: ``auto``, ``cpu`` or ``cuda``.
        workers: processes that read ahead; None for 0 on a CPU and up to 8 beside a GPU.
        start: whether the run is new.
        skip_non_finite: steps that may be left out because a loss is not finite.
        max_reject_rate: share of utterances that may be unreadable, in an epoch or a validation.
    """

    codes: Path
    manifest: str
    run: Path
    device: str = "auto"
    workers: int | None = None
    start: Start = field(default_factory=Start)
    skip_non_finite: int = 0
    max_reject_rate: float = 0.05


def train(recipe: Recipe, request: Request) -> dict[str, Any] | None:
    """Run a recipe, or go on with a run, and leave everything in its folder.

    Returns:
        The command's summary; None in all processes but the main one.

    Raises:
        Failure: if the inputs do not fit together, or training cannot go on.
        KeyboardInterrupt, Terminated: if a signal asked to stop.
    """
    processes = Processes(request.device)
    folder = RunFolder(request.run, writes=processes.is_main)
    requests = Requests()
    with requests.handle_signals():
        try:
            run = _Run(recipe, request, processes, folder, requests)
            with closing(run.readers), say_what_cannot_be_compiled(), _say_what_needs_memory():
                summary = run.execute()
        except BaseException as error:
            _record_failure(folder, error)
            raise
        finally:
            folder.release()
    if processes.is_main:
        send_run(folder.path)  # what could not be copied up before; now that is an error
    processes.end()
    return summary if processes.is_main else None


class _Run:
    """A run put together from its parts."""

    def __init__(
        self,
        recipe: Recipe,
        request: Request,
        processes: Processes,
        folder: RunFolder,
        requests: Requests,
    ) -> None:
        torch.manual_seed(recipe.data.seed)  # for new layers that start at random
        self.folder, self.recipe = folder, recipe
        self.inputs = inputs = open_inputs(recipe, request.codes, request.manifest)
        self.epochs = plan_epochs(
            recipe.curriculum,
            inputs.model.geometry,
            len(inputs.train),
            recipe.schedule,
            head_start(recipe),
        )
        facts = _facts_of(inputs)
        open_folder(folder, request.start, processes)
        self.checkpoint = find_checkpoint(folder, request.start, recipe, facts, processes)
        self.finished = processes.from_main(self._is_at_its_end())
        inputs.model.to(processes.device)
        inputs.base_model.to(processes.device)
        if inputs.teacher:
            inputs.teacher.to(processes.device)
        if recipe.model.compile:
            compile_decoder(inputs.model)
        self.readers = readers = Readers(
            inputs.source(recipe),
            _choose_workers(request.workers, processes),
            pin=processes.device.type == "cuda",
        )
        utterances = {"train": len(inputs.train), "val": len(inputs.val)}
        self.rejects = rejects = Rejects(folder, utterances, request.max_reject_rate)
        validators = Validators(
            recipe,
            inputs,
            readers,
            processes=processes,
            requests=requests,
            reject=rejects.add_validation,
        )
        self.trainer = Trainer(
            recipe,
            inputs,
            validator=validators.of(recipe.validation.segment_s),
            readers=readers,
            rejects=rejects,
            saver=Saver(recipe, facts, folder, processes, requests),
            folder=folder,
            processes=processes,
            requests=requests,
            may_skip=request.skip_non_finite,
        )
        self.measures = Measures(recipe, inputs, validators, self.trainer, folder)
        if self.checkpoint:
            self.trainer.restore(self.checkpoint)
        if not self.finished:
            self.trainer.plan(self.epochs)  # what is refused there leaves the run as it was
            rewind(folder, self.checkpoint, recipe, self.trainer.best, rejects)
            record_start(
                folder, recipe, inputs, epochs=self.epochs, processes=processes, facts=facts
            )
            start_wandb(folder, recipe, request.start.wandb, self.checkpoint)

    def execute(self) -> dict[str, Any]:
        """Measure, train, measure; return the summary."""
        if not self.finished:
            self._train()
        return self._summary()

    def _train(self) -> None:
        self.measures.unchanged()
        if self.checkpoint:
            position = self.trainer.tracker.position
            self.folder.log(f"going on after step {position.step}, in epoch {position.epoch}")
        else:
            self.measures.aligned()
            self.measures.before()
        self.trainer.run()
        self.measures.after()
        summary = self._summary()
        self.measures.warn(summary["improvement_percent"], summary["best"])
        self.folder.log("finished")
        self.folder.end("finished", summary=summary)

    def _is_at_its_end(self) -> bool:
        """Say whether the run has been finished, and nothing has been added to its plan."""
        if not self.checkpoint or self.folder.state.get("state") != "finished":
            return False
        state = self.checkpoint.state
        position = state["tracker"]["position"]
        taken = position["epoch_step"] == state["epoch"]["steps"]
        return taken and position["epoch"] == len(self.epochs)

    def _summary(self) -> dict[str, Any]:
        """Say how far each best score lies under what there is without training."""
        position, state = self.trainer.tracker.position, self.folder.state
        start = state.get("baseline") or {}
        kept = self.trainer.best.scores
        best = {name: entry["score"] for name, entry in kept.items() if name in SCORES}
        return {
            "run": str(self.folder.path),
            "epochs": position.epoch,
            "steps": position.step,
            "skipped": self.trainer.steps.skipped,
            "rejects": self.rejects.totals,
            **self.inputs.counts(),
            "starting_model": {name: start.get(SCORES[name]) for name in best},
            "resampled": {"48k": start[NEW_HEAD]} if NEW_HEAD in start else {},
            "best": best,
            "improvement_percent": self._improvements(best),
            "improvement_percent_at": state.get("improvement_percent_at", {}),
        }

    def _improvements(self, best: dict[str, float]) -> dict[str, float]:
        start = self.folder.state.get("baseline") or {}
        return improvements(best, to_beat(start, self.recipe.loss.weight_48k))


@contextmanager
def _say_what_needs_memory() -> Iterator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise Failure(
            "out of memory: take each batch in more pieces, which changes nothing else (--set "
            "optimizer.accumulate=4), or have it chosen (optimizer.accumulate=0), and go on with "
            f"--resume. ({str(error).partition('. ')[0]})"
        ) from error


def _facts_of(inputs: Inputs) -> dict[str, Any]:
    """Return what must be the same when a run is resumed: models and utterances, not where."""
    models = {"base": inputs.base_model}
    if inputs.teacher:
        models["teacher"] = inputs.teacher
    return {name: {"sha256": weights_sha256([model])} for name, model in models.items()} | {
        "data": {
            "train_utterances": len(inputs.train),
            "train_sha256": inputs.train.sha256(),
            "val_utterances": len(inputs.val),
            "val_sha256": inputs.val.sha256(),
        }
    }


def _choose_workers(asked: int | None, processes: Processes) -> int:
    if asked is not None:
        return asked
    if processes.device.type == "cpu":
        return 0
    return max(1, min(8, available_cores() // processes.local_world_size))


def _record_failure(folder: RunFolder, error: BaseException) -> None:
    """Write down how a run ended that did not come to its end; not if it was never begun."""
    if folder.state.get("state") != "running":
        return
    if isinstance(error, KeyboardInterrupt | Terminated):
        folder.log(f"stopped; go on with --run {folder.path.name} --resume")
        folder.end("stopped")
    else:
        folder.log(f"failed: {error}")
        folder.end("failed", message=str(error))
