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
    RecipeOption(
        "--base",
        "model.base",
        "MODEL",
        "Start from this model: a Hub id, a folder, a run's best/, or an older checkpoint (.pt). "
        "[default: the model that made the codes]",
    ),
    RecipeOption(
        "--limit",
        "data.limit",
        "N",
        "Train on N utterances, chosen by a hash of their ids. 0 takes all.",
    ),
    RecipeOption(
        "--val-limit",
        "validation.limit",
        "N",
        "Validate on N utterances, chosen by a hash of their ids. 0 takes all.",
    ),
    RecipeOption(
        "--seed", "data.seed", "N", "Seed of the order, the slices and the noise of training."
    ),
    RecipeOption("--epochs", "curriculum.epochs", "N", "Number of epochs, warm-up included."),
    RecipeOption(
        "--warmup-epochs",
        "curriculum.warmup_epochs",
        "N",
        "Number of first epochs in which only the new layers are trained.",
    ),
    RecipeOption(
        "--batch-size",
        "curriculum.batch_size",
        "N",
        "Segments in a batch of all processes together, before --batch-multiplier.",
    ),
    RecipeOption(
        "--epoch-ranges",
        "curriculum.epoch_ranges",
        "A-B,...",
        "Ranges of epochs that the next two options speak of, such as 1-2,3-9.",
    ),
    RecipeOption(
        "--segment-schedule",
        "curriculum.segment_s",
        "S,...",
        "Seconds of a segment in each range of epochs; one value holds for all.",
    ),
    RecipeOption(
        "--batch-multiplier",
        "curriculum.batch_multiplier",
        "X,...",
        "Factor of the batch size in each range of epochs; one value holds for all.",
    ),
    RecipeOption(
        "--warmup-lr", "optimizer.warmup_lr", "X", "Learning rate of the new layers in warm-up."
    ),
    RecipeOption(
        "--main-lr",
        "optimizer.main_lr",
        "X",
        "Highest learning rate after warm-up, for everything but the 24 kHz head.",
    ),
    RecipeOption(
        "--lr-24k-final-conv",
        "optimizer.head_24k_lr",
        "X",
        "Highest learning rate of the 24 kHz head, where there are two heads.",
    ),
    RecipeOption(
        "--precision",
        "optimizer.precision",
        "fp32|tf32|bf16",
        "Precision of the decoder's trunk in training, on a GPU.",
    ),
    RecipeOption("--loss-weight-24k", "loss.weight_24k", "X", "Weight of the 24 kHz loss."),
    RecipeOption("--loss-weight-48k", "loss.weight_48k", "X", "Weight of the 48 kHz loss."),
)


def recipe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add every recipe option to a command, and an answer to the rate that could be either."""
    for option in reversed(RECIPE_OPTIONS):
        text = option.help
        if "[default: " not in text:
            text += f" [default: the recipe's {option.field}]"
        decorate = click.option(option.flag, option.parameter, metavar=option.metavar, help=text)
        command = decorate(command)
    return click.option("--lr", hidden=True, expose_value=False, callback=_which_rate)(command)


def _which_rate(context: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise click.UsageError(
            f"--lr: there are two learning rates. --main-lr {value} is the highest one after "
            f"warm-up, which is usually meant; --warmup-lr {value} is that of the new layers in "
            "warm-up."
        )


def recipe_overrides(given: dict[str, str | None]) -> list[tuple[str, str]]:
    """Return ``(table.field, text)`` for each option that was given."""
    pairs = ((option.field, given[option.parameter]) for option in RECIPE_OPTIONS)
    return [(field, text) for field, text in pairs if text is not None]
