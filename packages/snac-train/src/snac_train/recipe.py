"""Recipes: everything that decides a run's result, one dataclass a table of the TOML file."""

import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Annotated, Any

from snac_model.errors import BadInput
from snac_train.settings import Between, build, override

Count = Annotated[int, Between(1)]
CountOrNone = Annotated[int, Between(0)]
NotNegative = Annotated[float, Between(0)]
Share = Annotated[float, Between(0, 1)]
Divisor = Annotated[float, Between(1)]


@dataclass(frozen=True)
class Data:
    """Which segments are trained on.

    Attributes:
        seed: decides order, slices and noise of every epoch.
        limit: train on the first so many utterances; 0 for all.
        context: decode each segment with the decoder's context beside it, as in a whole utterance.
    """

    seed: int
    limit: CountOrNone
    context: bool


@dataclass(frozen=True)
class Curriculum:
    """How long and how many segments are in a batch, by epoch; the lists run in parallel.

    Attributes:
        epochs: of the whole run, warm-up included.
        warmup_epochs: the first ones, in which only new layers are trained.
        batch_size: segments in a batch, before the multiplier.
        epoch_ranges: such as ``1-2``, both ends included.
        segment_s: wished-for segment length in each range; rounded to whole coarse tokens.
        batch_multiplier: of ``batch_size`` in each range.
    """

    epochs: Count
    warmup_epochs: CountOrNone
    batch_size: Count
    epoch_ranges: tuple[str, ...]
    segment_s: tuple[NotNegative, ...]
    batch_multiplier: tuple[NotNegative, ...]


@dataclass(frozen=True)
class Model:
    """What is trained.

    Attributes:
        base: the model to start from; empty for the one that made the codes.
    """

    base: str


@dataclass(frozen=True)
class Optimizer:
    """AdamW.

    Attributes:
        warmup_lr: constant rate of the new layers in warm-up.
        main_lr: peak rate of the trunk and the 48 kHz head.
        head_24k_lr: peak rate of the 24 kHz head: the last Snake and convolution.
        weight_decay: decoupled.
        clip: largest norm of the gradient.
    """

    warmup_lr: NotNegative
    main_lr: NotNegative
    head_24k_lr: NotNegative
    weight_decay: NotNegative
    clip: NotNegative


@dataclass(frozen=True)
class Schedule:
    """One cycle over the whole main stage (torch's OneCycleLR, and its names).

    Attributes:
        peak_factor: scales the peak of every parameter group.
        pct_start: share of the stage's steps in which the rate rises.
        div_factor: peak divided by the first rate.
        final_div_factor: first rate divided by the last.
    """

    peak_factor: NotNegative
    pct_start: Share
    div_factor: Divisor
    final_div_factor: Divisor


@dataclass(frozen=True)
class Loss:
    """Weights of the two heads and of the parts of each one's loss, and STFT window sizes."""

    weight_24k: NotNegative
    weight_48k: NotNegative
    l1_weight: NotNegative
    stft_weight: NotNegative
    fft_sizes_24k: tuple[Count, ...]
    fft_sizes_48k: tuple[Count, ...]


@dataclass(frozen=True)
class Validation:
    """What is measured after each epoch, alike in every run whose table is alike.

    Attributes:
        seed: decides segments and noise; apart from the training's, so that runs compare.
        limit: validate on the first so many utterances; 0 for all.
        segment_s: segment length; shorter utterances are taken whole.
        batch_size: does not change the result.
    """

    seed: int
    limit: CountOrNone
    segment_s: NotNegative
    batch_size: Count


@dataclass(frozen=True)
class Checkpoint:
    """What is kept.

    Attributes:
        best: validation scores whose best model is kept: ``combined``, ``24k``, ``48k``.
    """

    best: tuple[str, ...]


@dataclass(frozen=True)
class Tracking:
    """What is written down.

    Attributes:
        log_every: steps that a training line of metrics.jsonl sums up.
    """

    log_every: Count


@dataclass(frozen=True)
class Recipe:
    """A whole recipe."""

    data: Data
    curriculum: Curriculum
    model: Model
    optimizer: Optimizer
    schedule: Schedule
    loss: Loss
    validation: Validation
    checkpoint: Checkpoint
    tracking: Tracking

    def to_toml(self) -> str:
        """Return the recipe as the TOML text that it can be read from again."""
        import tomli_w

        return tomli_w.dumps(asdict(self))


def load_recipe(phase: int, overrides: Iterable[tuple[str, str]] = ()) -> Recipe:
    """Return a phase's recipe with ``(table.field, text)`` overrides applied in order.

    Raises:
        BadInput: if there is no such phase, or an override does not fit.
    """
    tables = _packaged_tables(phase)
    for name, text in overrides:
        override(tables, name, text, Recipe)
    return build(Recipe, tables)


def split_setting(setting: str) -> tuple[str, str]:
    """Split ``a.b=value``; raises BadInput if it is not of that form."""
    name, equals, text = setting.partition("=")
    if not equals:
        raise BadInput(f"--set {setting}: write it as table.field=value, loss.stft_weight=2")
    return name.strip(), text.strip()


def _packaged_tables(phase: int) -> dict[str, Any]:
    folder = resources.files("snac_train") / "recipes"
    recipe = folder / f"phase{phase}.toml"
    if not recipe.is_file():
        present = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
        phases = ", ".join(name.removeprefix("phase").removesuffix(".toml") for name in present)
        raise BadInput(f"--phase {phase}: there is no recipe for it; there is one for {phases}")
    return tomllib.loads(recipe.read_text(encoding="utf-8"))
