"""``snac-train``: fine-tune a decoder on cached codes, or train a whole codec from audio."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from snac_common.artifacts import Artifacts
from snac_common.console import note, print_summary
from snac_common.copying import check_taken
from snac_common.options import (
    artifacts_option,
    codes_option,
    device_option,
    manifest_option,
    max_reject_rate_option,
)
from snac_common.refresh import refresh
from snac_common.run_mirror import bring_run, is_small
from snac_common.tool import Tool
from snac_train.cli.options import recipe_options, recipe_overrides

if TYPE_CHECKING:
    from snac_train.recipe.tables import Recipe
    from snac_train.session.train import Request

NEWEST = "newest"
AUTO = "auto"

EXAMPLE = """snac-train --recipe small --run first
snac-train --phase 12 --run second --gpus 0,1 --detach
snac-train --run second --resume
snac-train --phase refine --base first --run refined
snac-train --phase fast --run fast
snac-train --phase base --base builtin:speech-small --run small
"""


@click.command(cls=Tool, example=EXAMPLE)
@click.option(
    "--phase",
    metavar="10|11|12|refine|fast|base",
    help="Train by this packaged recipe: 12 trains a 24 kHz and a 48 kHz output, 11 a "
    "48 kHz decoder, 10 a 24 kHz one; refine goes on from --base RUN with discriminators; fast "
    "trains a faster decoder of the same tokens; base trains a whole codec from nothing. [default: "
    "with --resume, the run's own]",
)
@click.option(
    "--recipe",
    "recipe_file",
    type=click.Path(path_type=Path),
    metavar="small|FILE.toml",
    help="Train by this recipe in place of a phase's: small is phase 12 for up to 1.5 hours of "
    'speech; a file is your own, or another run\'s recipe.toml. A file may say extends = "12" '
    "and then only the fields that differ.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE.json",
    help="Take over the configuration of an earlier script. Options of this command go before it.",
)
@artifacts_option
@codes_option
@manifest_option
@click.option(
    "--run",
    metavar="NAME",
    help="Name of the run, whose folder is ARTIFACTS/runs/NAME. [default: the recipe and the time]",
)
@click.option(
    "--resume",
    is_flag=False,
    flag_value=NEWEST,
    metavar="[RUN|CHECKPOINT|auto]",
    help="Go on with a run that was stopped: the one that is named here or by --run, or else the "
    "one that wrote last. It goes on from its newest whole checkpoint, or from the one given here. "
    "With auto, the run that --run names is started if it is not there yet, and goes on if it is: "
    "one command for a job that a scheduler starts again.",
)
@click.option(
    "--allow-changed",
    metavar="TABLE[.FIELD]",
    multiple=True,
    help="With --resume: this setting may differ from the checkpoint's, such as curriculum.epochs. "
    "The option may be repeated. [default: none]",
)
@click.option(
    "--gpus",
    metavar="0,1,...",
    help="Start one process on each of these GPUs. [default: one process, where --device says]",
)
@device_option
@click.option(
    "--workers",
    type=click.IntRange(0),
    help="Number of processes that read audio ahead, for each process that trains. [default: 0 on "
    "a CPU, up to 8 beside a GPU]",
)
@click.option(
    "--skip-non-finite",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Leave out up to N steps whose loss is not finite, instead of stopping at the first.",
)
@max_reject_rate_option
@click.option(
    "--wandb",
    type=click.Choice(["online", "offline", "disabled"]),
    default="disabled",
    help="Log to Weights & Biases as well.",
)
@click.option(
    "--set",
    "settings",
    metavar="TABLE.FIELD=VALUE",
    multiple=True,
    help="Set any field of the recipe, such as loss.stft_weight=2. The option may be repeated.",
)
@click.option("--show-recipe", is_flag=True, help="Print the whole recipe and end.")
@click.option("--preflight", is_flag=True, help="Check all that a long run needs, say it, and end.")
@click.option(
    "--detach",
    is_flag=True,
    help="Make the same checks, then train in the background.",
)
@recipe_options
def main(
    *,
    phase: str | None,
    recipe_file: Path | None,
    config: Path | None,
    artifacts: Path | None,
    codes: Path | None,
    manifest: str | None,
    run: str | None,
    resume: str | None,
    allow_changed: tuple[str, ...],
    gpus: str | None,
    device: str,
    workers: int | None,
    skip_non_finite: int,
    max_reject_rate: float,
    wandb: str,
    settings: tuple[str, ...],
    show_recipe: bool,
    preflight: bool,
    detach: bool,
    **options: str | None,
) -> None:
    """Fine-tune a decoder on cached codes. Encoder and quantizer stay as they are, so do all codes.

    --phase base trains all three parts instead, from random weights, on the audio of a manifest.

    The run is validated before training and after each epoch. The best models are kept in
    ARTIFACTS/runs/NAME/best, best_24k and best_48k. Checkpoints are written at the end of each
    epoch, every 5,000 steps and every 30 minutes. Ctrl-C, SIGTERM and SIGHUP save and stop; SIGUSR1
    saves and goes on. After any stop, --resume goes on from where the run was.
    """
    from snac_common.visible_gpus import number_as_nvidia_smi
    from snac_train.commands.resolve import (
        choose_recipe,
        choose_run,
        name_by_time,
        with_heads_of_base,
    )
    from snac_train.commands.which_run import find_resumed, is_there
    from snac_train.legacy.config import NO_CONFIG, read_config
    from snac_train.recipe.load import split_setting

    number_as_nvidia_smi()
    places = Artifacts.at(artifacts)
    earlier = read_config(config) if config else NO_CONFIG
    name = earlier.run if run is None else run
    if resume == AUTO and is_there(places, name):
        resume, recipe_file, earlier = NEWEST, None, NO_CONFIG  # it has its own recipe
    elif resume == AUTO:
        resume = None
    where = None if resume == NEWEST else resume
    resumed = None if resume is None else find_resumed(places, name, where)
    folder = resumed.run if resumed else choose_run(places, name)
    overrides = [*recipe_overrides(options), *map(split_setting, settings)]
    recipe = choose_recipe(phase, recipe_file, resumed and resumed.run, overrides, earlier)
    for line in earlier.notes:
        note(line)
    if show_recipe:
        click.echo(recipe.to_toml(), nl=False)
        return
    folder = folder or places.run(name_by_time(phase, recipe_file))
    _ask_store(places, folder, is_new=not resumed)
    if os.environ.get("RANK", "0") == "0":
        note("opening codes and model")  # the first import of torch takes seconds
    from snac_cache.manifests.stated import manifest_of_codes
    from snac_train.commands.detach import check_and_start
    from snac_train.commands.preflight import check_before
    from snac_train.legacy.audio import check_audio
    from snac_train.session.run_setup import Start
    from snac_train.session.train import Request

    codes = codes or places.codes
    refresh(codes, manifest or places.manifests)
    if recipe.data.codes == "cached":
        manifest = str(manifest_of_codes(codes, manifest, places.manifests))
    manifest = manifest or str(places.manifests)
    recipe = with_heads_of_base(recipe, codes)
    check_audio(earlier.audio, recipe, codes, manifest)
    request = Request(
        codes=codes,
        manifest=manifest,
        run=folder,
        device=device,
        workers=earlier.workers if workers is None else workers,
        start=Start(bool(resumed), resumed and resumed.checkpoint, allow_changed, wandb),
        skip_non_finite=skip_non_finite,
        max_reject_rate=max_reject_rate,
    )
    if preflight:
        print_summary(**check_before(recipe, request, gpus))
        return
    arguments = [argument for argument in sys.argv[1:] if argument != "--detach"]
    arguments += ["--manifest", manifest]
    if run or where is None:  # else what is resumed says which run it is
        arguments += ["--run", folder.name]
    if detach:
        print_summary(**check_and_start(arguments, recipe, request, gpus))
        return
    _train_here(arguments, recipe, request, gpus)


def _ask_store(places: Artifacts, folder: Path, *, is_new: bool) -> None:
    """Ask an object store, if results go there, for a run of this name, and whether it takes any.

    Found out now, not at the first save.
    """
    check_taken(places.root)
    if is_new:
        bring_run(folder, only=is_small)


def _train_here(
    arguments: Sequence[str], recipe: "Recipe", request: "Request", gpus: str | None
) -> None:
    """Train in this process, or in one for each GPU."""
    from snac_common.devices import parse_gpus
    from snac_train.distributed.launch import end_with_launcher, launch
    from snac_train.run.run_lock import inherited_lock, lock_file
    from snac_train.session.train import train

    if gpus is not None and "RANK" not in os.environ:
        lock = inherited_lock(lock_file(request.run))
        handed_on = [] if lock is None else [lock]
        raise SystemExit(launch(arguments, parse_gpus(gpus), handed_on))
    end_with_launcher()
    summary = train(recipe, request)
    if summary is not None:
        print_summary(**summary)


if __name__ == "__main__":
    main()
