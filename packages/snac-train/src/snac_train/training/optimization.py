"""What each stage trains, with which optimizer and learning rate."""

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from snac_model.codec.snac import SNAC
from snac_train.recipe.curriculum import StageName
from snac_train.recipe.imitation import imitates
from snac_train.recipe.tables import Model, Optimizer, Recipe, Schedule

NEW_LAYERS = "head_48k"
TOKENIZER = ("encoder", "projections")


def parameter_groups(model: SNAC, settings: Model) -> dict[str, list[nn.Parameter]]:
    """Return all that is ever trained, by group; what is frozen for good is in none."""
    groups = model.synthesizer.parameter_groups()
    if not settings.freeze_encoder:
        groups["encoder"] = list(model.encoder.parameters())
    if not settings.freeze_vq:
        levels = model.quantizer.levels
        groups["codebooks"] = [weight for level in levels for weight in level.codebook.parameters()]
        groups["projections"] = [
            weight
            for level in levels
            for layer in (level.in_proj, level.out_proj)
            for weight in layer.parameters()
        ]
    return groups


def freeze_all_but(model: SNAC, parameters: Iterable[nn.Parameter]) -> None:
    """Have gradients computed for these parameters only.

    Where nothing before a layer needs a gradient, autograd records nothing of it: the frozen part
    costs no more than under ``no_grad``.
    """
    model.requires_grad_(False)
    for parameter in parameters:
        parameter.requires_grad_(True)


def peak_rates(stage: StageName, groups: Iterable[str], recipe: Recipe) -> dict[str, float]:
    """Return the highest learning rate of each group that a stage trains."""
    settings = recipe.optimizer
    if imitates(recipe, stage):
        return dict.fromkeys(groups, settings.warmup_lr)
    if stage == "warmup":
        new = {NEW_LAYERS}
        if recipe.model.weights == "random":
            new = set(groups) - {"codebooks"}  # which are filled when warm-up is over
        return {group: settings.warmup_lr for group in groups if group in new}
    factor = recipe.schedule.peak_factor
    own = {"head_24k": settings.head_24k_lr} | dict.fromkeys(TOKENIZER, settings.tokenizer_lr)
    return {group: own.get(group, settings.main_lr) * factor for group in groups}


def make_optimizer(
    groups: dict[str, list[nn.Parameter]], peaks: dict[str, float], settings: Optimizer
) -> torch.optim.AdamW:
    """Return fused AdamW with one named group for each entry of ``peaks``."""
    named = [{"params": groups[name], "lr": rate, "name": name} for name, rate in peaks.items()]
    betas = (settings.betas[0], settings.betas[1])
    return torch.optim.AdamW(named, betas=betas, weight_decay=settings.weight_decay, fused=True)


def make_schedule(
    stage: StageName, optimizer: torch.optim.Optimizer, steps: int, settings: Schedule
) -> LRScheduler:
    """Return the schedule of a stage of ``steps`` steps: constant in warm-up.

    One cycle also moves AdamW's first beta against the rate, as OneCycleLR does by default. Every
    schedule is a function of the step alone, so ``last_epoch`` is all of its state.
    """
    if stage == "warmup" or settings.shape == "constant":
        return LambdaLR(optimizer, lambda step: 1.0)
    if settings.shape == "cosine":
        return LambdaLR(optimizer, lambda step: _cosine(step / steps, settings.floor))
    return OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=steps,
        pct_start=settings.pct_start,
        div_factor=settings.div_factor,
        final_div_factor=settings.final_div_factor,
    )


def _cosine(share: float, floor: float) -> float:
    """Fall from 1 to ``floor`` over shares 0 to 1 of the stage."""
    return floor + (1 - floor) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
