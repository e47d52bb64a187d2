"""``snac-train``: fine-tune a decoder on cached codes."""

from datetime import datetime
from pathlib import Path

import click

from snac_model.artifacts import Artifacts
from snac_model.console import Tool, artifacts_option, codes_option, device_option, print_summary
from snac_train.cli.options import recipe_options, recipe_overrides


@click.command(cls=Tool, example="snac-train --phase 12 --run first --batch-size 32 --epochs 6")
@click.option("--phase", type=int, required=True, help="Which recipe: 12 trains 24 and 48 kHz.")
@artifacts_option
@codes_option
@click.option("--run", metavar="NAME", help="Name of the run. [default: phase and time]")
@device_option
@click.option(
    "--workers",
    type=click.IntRange(0),
    help="Processes that read ahead. [default: 0 on a CPU, up to 8 beside a GPU]",
)
@click.option(
    "--set",
    "settings",
    metavar="TABLE.FIELD=VALUE",
    multiple=True,
    help="Override any field of the recipe; may be repeated.",
)
@click.option("--show-recipe", is_flag=True, help="Print the resolved recipe and stop.")
@recipe_options
def main(
    *,
    phase: int,
    artifacts: Path | None,
    codes: Path | None,
    run: str | None,
    device: str,
    workers: int | None,
    settings: tuple[str, ...],
    show_recipe: bool,
    **options: str | None,
) -> None:
    """Fine-tune the decoder on cached codes; encoder and quantizer stay as they are.

    Validates before training and after each epoch, and keeps the best models in
    ARTIFACTS/runs/NAME/best, best_24k and best_48k.
    """
    from snac_train.recipe import load_recipe, split_setting

    overrides = [*recipe_overrides(options), *map(split_setting, settings)]
    recipe = load_recipe(phase, overrides)
    if show_recipe:
        click.echo(recipe.to_toml(), nl=False)
        return
    from snac_train.session import train

    places = Artifacts.at(artifacts)
    name = run or f"phase{phase}-{datetime.now():%Y%m%d-%H%M%S}"
    summary = train(recipe, codes or places.codes, places.run(name), device, workers)
    print_summary(**summary)


if __name__ == "__main__":
    main()
