"""The options that override one field of the recipe each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click


@dataclass(frozen=True)
class RecipeOption:
    """An option, and the field ``table.field`` that its text becomes."""

    flag: str
    field: str
    metavar: str
    help: str

    @property
    def parameter(self) -> str:
        """The name of the option's value in a command's parameters."""
        return self.flag.removeprefix("--").replace("-", "_")


RECIPE_OPTIONS = (
    RecipeOption("--base", "model.base", "MODEL", "Start from this, not the codes' own model."),
    RecipeOption(
        "--limit", "data.limit", "N", "N train utterances, by a hash of their ids; 0: all."
    ),
    RecipeOption(
        "--val-limit",
        "validation.limit",
        "N",
        "N val utterances, by a hash of their ids; 0: all.",
    ),
    RecipeOption("--seed", "data.seed", "N", "Decides order, slices and noise."),
    RecipeOption("--epochs", "curriculum.epochs", "N", "Epochs in all."),
    RecipeOption("--warmup-epochs", "curriculum.warmup_epochs", "N", "New layers alone."),
    RecipeOption("--batch-size", "curriculum.batch_size", "N", "Before the multiplier."),
    RecipeOption("--epoch-ranges", "curriculum.epoch_ranges", "A-B,...", "Ranges of epochs."),
    RecipeOption("--segment-schedule", "curriculum.segment_s", "S,...", "Seconds in each range."),
    RecipeOption(
        "--batch-multiplier", "curriculum.batch_multiplier", "X,...", "Of the batch size, by range."
    ),
    RecipeOption("--lr", "optimizer.lr", "X", "Learning rate of the first stage: warm-up, if any."),
    RecipeOption("--main-lr", "optimizer.main_lr", "X", "Peak of all but the 24 kHz head."),
    RecipeOption(
        "--precision",
        "optimizer.precision",
        "fp32|tf32|bf16",
        "Of the decoder's trunk in training.",
    ),
    RecipeOption("--lr-24k-final-conv", "optimizer.head_24k_lr", "X", "Peak of the 24 kHz head."),
    RecipeOption("--loss-weight-24k", "loss.weight_24k", "X", "Weight of the 24 kHz loss."),
    RecipeOption("--loss-weight-48k", "loss.weight_48k", "X", "Weight of the 48 kHz loss."),
)


def recipe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add every recipe option to a command."""
    for option in reversed(RECIPE_OPTIONS):
        text = f"{option.help} [recipe: {option.field}]"
        decorate = click.option(option.flag, option.parameter, metavar=option.metavar, help=text)
        command = decorate(command)
    return command


def recipe_overrides(given: dict[str, str | None]) -> list[tuple[str, str]]:
    """Return ``(table.field, text)`` for each option that was given."""
    pairs = ((option.field, given[option.parameter]) for option in RECIPE_OPTIONS)
    return [(field, text) for field, text in pairs if text is not None]
