"""What is proved before a long run is started: codes, targets, room, GPUs, and a free folder."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from snac_cache.checks.runner import load_checks, run_checks
from snac_cache.checks.views import open_views
from snac_cache.store.code_store import not_encoded_yet
from snac_common.console import note
from snac_common.devices import choose_device, parse_gpus
from snac_common.errors import Failure
from snac_model.codec.snac import SNAC
from snac_train.commands.busy_gpus import check_gpus
from snac_train.data.inputs import Inputs, open_inputs
from snac_train.data.unchanged_audio import check_unchanged
from snac_train.recipe.advice import too_few_steps
from snac_train.recipe.curriculum import plan_epochs
from snac_train.recipe.heads import head_start
from snac_train.recipe.tables import Recipe
from snac_train.run.run_folder import RunFolder
from snac_train.session.memory import check_memory
from snac_train.session.train import Request
from snac_train.training.alignment import check_alignment
from snac_train.training.discriminators import bytes_of_discriminators
from snac_train.training.optimization import parameter_groups
from snac_train.training.validation import validation_segments

WRITTEN_AT_ONCE = 1  # a checkpoint, or a best model, takes its room before the old one goes


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        passed: whether training may start, as far as this check goes.
        text: what it found, and if it has not passed, what to do.
    """

    check: str
    passed: bool
    text: str


def check_before(recipe: Recipe, request: Request, gpus: str | None) -> dict[str, Any]:
    """Check what a run needs and say what was found; return the command's summary.

    Args:
        gpus: such as ``0,1``; None for what ``request.device`` means.

    Raises:
        BadInput: if a GPU does not exist.
        Failure: if the run should not be started.
    """
    numbers = None if gpus is None else parse_gpus(gpus)
    note(f"before training {request.run}:")
    findings = []
    for finding in _findings(recipe, request, numbers):
        note(f"  {'ok' if finding.passed else 'FAIL':<5} {finding.check:<7} {finding.text}")
        findings.append(finding)
    if failed := [finding.check for finding in findings if not finding.passed]:
        raise Failure(f"not ready to train {request.run}: {', '.join(failed)}; see above")
    return {"run": str(request.run), **{finding.check: finding.text for finding in findings}}


def _findings(recipe: Recipe, request: Request, gpus: Sequence[int] | None) -> Iterator[Finding]:
    yield _run_check("folder", lambda: _check_folder(request))
    yield _run_check("GPU", lambda: _check_device(request.device, gpus))
    if recipe.data.codes == "cached":
        yield _run_check("codes", lambda: _check_codes(request.codes, Path(request.manifest)))
    opened: list[Inputs] = []
    yield _run_check("data", lambda: _check_data(recipe, request, opened))
    if opened and recipe.data.codes == "cached":
        yield _run_check("sound", lambda: _check_sound(recipe, opened[0]))
    if opened:
        yield _run_check("memory", lambda: check_memory(recipe, opened[0], request.device, gpus))
    if opened:
        needed = bytes_to_write(recipe, opened[0].model)
        yield _run_check("disk", lambda: check_disk(request.run, needed))


def _run_check(check: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(check, True, look())
    except Failure as failure:
        return Finding(check, False, str(failure))


def _check_folder(request: Request) -> str:
    folder = RunFolder(request.run)
    if request.start.resume:
        folder.check_resumable()
        return f"{request.run} can go on"
    folder.check_unused()
    return f"{request.run} is free"


def _check_device(device: str, gpus: Sequence[int] | None) -> str:
    if gpus is None and choose_device(device, say=False) == "cpu":
        return "none is used"
    return check_gpus(gpus)


def _check_codes(codes: Path, manifest: Path) -> str:
    """Run all that snac-check runs."""
    with open_views(codes, manifest) as views:
        outcomes = list(run_checks(views, load_checks(None, ())))
    failed = [outcome.check.name for outcome in outcomes if outcome.result == "fail"]
    warned = [outcome.check.name for outcome in outcomes if outcome.result == "warn"]
    if failed:
        raise Failure(f"the codes in {codes} fail {', '.join(failed)}: see snac-check")
    passed = f"all {len(outcomes)} checks pass"
    return f"{passed}; {', '.join(warned)} warned: see snac-check" if warned else passed


def _check_data(recipe: Recipe, request: Request, opened: list[Inputs]) -> str:
    """Open what training would open, leave it in ``opened``, and plan the epochs."""
    inputs = open_inputs(recipe, request.codes, request.manifest)
    epochs = plan_epochs(
        recipe.curriculum,
        inputs.model.geometry,
        len(inputs.train),
        recipe.schedule,
        head_start(recipe),
    )
    opened.append(inputs)
    left_out = sum(inputs.left_out.values())
    without = f"; {left_out} have no 48 kHz target and are left out" if left_out else ""
    if inputs.unlisted:
        without += f"; {inputs.unlisted} cached ones are not in {request.manifest}"
    if inputs.not_encoded:
        without += f"; {not_encoded_yet(inputs.not_encoded)}"
    if advice := too_few_steps(recipe, epochs, len(inputs.train), inputs.train.hours):
        without += f"; warning: {advice}"
    if narrow := inputs.narrow_targets():
        without += f"; warning: {narrow}"
    return f"{len(inputs.train):,} train and {len(inputs.val):,} val utterances{without}"


def _check_sound(recipe: Recipe, inputs: Inputs) -> str:
    """Decode some codes and hold them against their references."""
    check_unchanged(inputs)
    segments = validation_segments(recipe, inputs, recipe.validation.segment_s)
    return check_alignment(recipe, inputs, segments)


def bytes_to_write(recipe: Recipe, model: SNAC) -> int:
    """Return how much the checkpoints and best models of a run come to.

    A checkpoint holds the weights and AdamW's two moments of each trained one; the average, and
    the discriminators with their moments.
    """
    weights = sum(value.nbytes for value in model.state_dict().values())
    groups = parameter_groups(model, recipe.model).values()
    trained = sum(value.nbytes for value in chain.from_iterable(groups))
    discriminators = bytes_of_discriminators(recipe)
    checkpoint = weights + (3 if recipe.optimizer.average else 2) * trained + 3 * discriminators
    best = len(recipe.checkpoint.best)
    return (recipe.checkpoint.keep + WRITTEN_AT_ONCE) * checkpoint + (best + WRITTEN_AT_ONCE) * (
        weights + discriminators
    )


def check_disk(run: Path, needed: int) -> str:
    """Say how much room there is for ``needed`` bytes; raises Failure if it is too little.

    What the run has written already is part of them.
    """
    written = sum(path.stat().st_size for path in _models(run) if path.is_file())
    disk = next(path for path in (run, *run.absolute().parents) if path.is_dir())
    missing, free = max(0, needed - written), shutil.disk_usage(disk).free
    amounts = f"checkpoints and best models need {_size(missing)}; {_size(free)} are free"
    if missing > free:
        raise Failure(
            f"{amounts} on the disk of {disk}: make room, or keep fewer with "
            "--set checkpoint.keep=1"
        )
    return amounts


def _models(run: Path) -> Iterator[Path]:
    return chain(run.glob("checkpoints/step-*/**/*"), run.glob("best*/*"))


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB"
