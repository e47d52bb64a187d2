"""What each stage trains, with which optimizer and learning rate."""

from collections.abc import Iterable

import torch
from torch import nn
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR

from snac_model.dual_head import DualHeadSNAC
from snac_train.curriculum import StageName
from snac_train.recipe import Optimizer, Schedule

TRAINED: dict[StageName, tuple[str, ...]] = {
    "warmup": ("head_48k",),
    "main": ("trunk", "head_48k", "head_24k"),
}


def parameter_groups(model: DualHeadSNAC) -> dict[str, list[nn.Parameter]]:
    """Return all that can be trained; encoder and quantizer are in no group."""
    return {
        "trunk": list(model.decoder.trunk.parameters()),
        "head_48k": list(model.head_48k.parameters()),
        "head_24k": list(model.decoder.head.parameters()),
    }


def freeze_all_but(model: DualHeadSNAC, groups: Iterable[str]) -> None:
    """Have gradients computed for these groups only.

    Where nothing before a layer needs a gradient, autograd records nothing of it: the frozen part
    costs no more than under ``no_grad``.
    """
    model.requires_grad_(False)
    by_name = parameter_groups(model)
    for name in groups:
        for parameter in by_name[name]:
            parameter.requires_grad_(True)


def peak_rates(stage: StageName, settings: Optimizer, factor: float) -> dict[str, float]:
    """Return the highest learning rate of each group that a stage trains."""
    if stage == "warmup":
        return dict.fromkeys(TRAINED[stage], settings.warmup_lr)
    peaks = {
        "trunk": settings.main_lr,
        "head_48k": settings.main_lr,
        "head_24k": settings.head_24k_lr,
    }
    return {name: peak * factor for name, peak in peaks.items()}


def make_optimizer(
    model: DualHeadSNAC, peaks: dict[str, float], settings: Optimizer
) -> torch.optim.AdamW:
    """Return AdamW with one named group for each entry of ``peaks``."""
    by_name = parameter_groups(model)
    groups = [{"params": by_name[name], "lr": rate, "name": name} for name, rate in peaks.items()]
    return torch.optim.AdamW(groups, weight_decay=settings.weight_decay)


def make_schedule(
    stage: StageName, optimizer: torch.optim.Optimizer, steps: int, settings: Schedule
) -> LRScheduler:
    """Return the schedule of a stage of ``steps`` steps: constant in warm-up, one cycle in main.

    The cycle also moves AdamW's first beta against the rate, as OneCycleLR does by default.
    """
    if stage == "warmup":
        return ConstantLR(optimizer, factor=1.0)
    return OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=steps,
        pct_start=settings.pct_start,
        div_factor=settings.div_factor,
        final_div_factor=settings.final_div_factor,
    )


def current_rates(optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """Return each group's learning rate as ``lr/<group>``."""
    return {f"lr/{group['name']}": group["lr"] for group in optimizer.param_groups}
