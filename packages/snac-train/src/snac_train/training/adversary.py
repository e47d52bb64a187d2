"""Discriminators in training: what they add to the decoder's losses, and what they learn from.

Least squares as in LS-GAN (Mao et al., 2017), with features matched as in HiFi-GAN (Kong et al.,
2020). All are means over discriminators, layers and positions, and features are relative to the
reference's: so weights do not depend on how many discriminators there are, or how wide.
"""

from typing import NamedTuple

import torch
from torch import nn

from snac_model.discriminators import DiscriminatorConfig, Discriminators
from snac_model.discriminators.sets import Maps
from snac_model.losses.reconstruction import masked_mean, valid_mask
from snac_train.recipe.heads import HEADS, RATES, judged_heads
from snac_train.recipe.tables import Adversarial, Recipe

Losses = dict[str, torch.Tensor]

QUIET_RMS = 1e-3  # -60 dBFS: what is quieter than that is judged as it is
SMALL_FEATURE = 1e-3


class Heard(NamedTuple):
    """A head's segments and their references.

    Attributes:
        output: ``[B, T]``.
        reference: ``[B, T]``.
        valid: samples of each item that are its own, int64 ``[B]``.
    """

    output: torch.Tensor
    reference: torch.Tensor
    valid: torch.Tensor


def config_of(recipe: Recipe) -> DiscriminatorConfig:
    """Return which discriminators a recipe asks for."""
    settings = recipe.adversarial
    return DiscriminatorConfig(
        rates=tuple(RATES[head] for head in judged_heads(recipe)),
        periods=settings.periods,
        period_channels=settings.period_channels,
        window_sizes=settings.window_sizes,
        band_edges=settings.band_edges,
        band_channels=settings.band_channels,
    )


def levelled(pair: Heard) -> Heard:
    """Bring both to the loudness at which the reference's root mean square is 1.

    By the reference's level alone, so that a level that is wrong can be heard. What lies beyond
    ``valid`` is silent in both.
    """
    mask = valid_mask(pair.reference, pair.valid)
    output, reference = pair.output.float() * mask, pair.reference.float() * mask
    level = masked_mean(reference.pow(2), mask).sqrt().clamp_min(QUIET_RMS)[:, None]
    return Heard(output / level, reference / level, pair.valid)


def _heads(discriminators: Discriminators) -> tuple[str, ...]:
    return tuple(HEADS[rate] for rate in discriminators.config.rates)


class Opponent:
    """Discriminators as the decoder meets them: they judge its output, and do not learn from it.

    Attributes:
        heard: of each head, what the decoder's turn has left for the discriminators' turn.
    """

    def __init__(self, discriminators: Discriminators, settings: Adversarial) -> None:
        self.discriminators = discriminators
        self.weights = {"adversarial": settings.weight, "features": settings.feature_weight}
        self.heads = _heads(discriminators)
        self.heard: dict[str, Heard] = {}

    def take(self) -> dict[str, Heard]:
        """Return what was heard of each head in the last micro-batch, and forget it."""
        heard, self.heard = self.heard, {}
        return heard

    def losses(
        self, head: str, output: torch.Tensor, reference: torch.Tensor, valid: torch.Tensor
    ) -> Losses:
        """Return ``adversarial`` and ``features``, each ``[B]``, and remember what was heard.

        Nothing where no gradient is wanted, as in the discriminators' head start.
        """
        self.heard[head] = Heard(output.detach(), reference, valid)
        if not torch.is_grad_enabled():
            return {}
        return self.terms(head, Heard(output, reference, valid))

    def terms(self, head: str, pair: Heard) -> Losses:
        """Return ``adversarial`` and ``features``, each ``[B]``; discriminators get no gradient."""
        rate, samples = RATES[head], pair.output.shape[-1]
        pair = levelled(pair)
        fixed = {name: value.detach() for name, value in self.discriminators.named_parameters()}
        judge = torch.func.functional_call
        with torch.no_grad():
            real = judge(self.discriminators, fixed, (pair.reference, rate))
        fake = judge(self.discriminators, fixed, (pair.output, rate))
        return {
            "adversarial": _means([(maps[-1] - 1) ** 2 for maps in fake], pair.valid, samples),
            "features": _feature_distance(real, fake, pair.valid, samples),
        }


class Scores:
    """Discriminators as validation meets them: how real they take reference and output to be."""

    def __init__(self, discriminators: Discriminators) -> None:
        self.discriminators = discriminators
        self.heads = _heads(discriminators)
        self.weights: dict[str, float] = {}

    def losses(
        self, head: str, output: torch.Tensor, reference: torch.Tensor, valid: torch.Tensor
    ) -> Losses:
        """Return the mean scores ``real`` and ``fake``, each ``[B]``."""
        pair, rate, samples = Heard(output, reference, valid), RATES[head], output.shape[-1]
        pair = levelled(pair)
        return {
            name: _means([maps[-1] for maps in self.discriminators(audio, rate)], valid, samples)
            for name, audio in (("real", pair.reference), ("fake", pair.output))
        }


class DiscriminatorObjective(nn.Module):
    """What the discriminators minimise: 1 for references, 0 for the decoder's outputs.

    A module of its own so that whatever runs models in parallel wraps the whole of their turn.
    """

    def __init__(self, discriminators: Discriminators) -> None:
        super().__init__()
        self.discriminators = discriminators

    def forward(self, heard: dict[str, Heard]) -> Losses:
        """Return of each head ``discriminators``, the loss, and the scores ``real`` and ``fake``.

        Each ``[B]``. References and outputs go through the discriminators together.
        """
        losses: Losses = {}
        for head, pair in heard.items():
            output, reference, valid = levelled(pair)
            items, samples = output.shape
            maps = self.discriminators(torch.cat([reference, output]), RATES[head])
            real, fake = ([each[-1][part] for each in maps] for part in _halves(items))
            wrong_of_real = _means([(score - 1) ** 2 for score in real], valid, samples)
            wrong_of_fake = _means([score**2 for score in fake], valid, samples)
            losses[f"{head}/discriminators"] = wrong_of_real + wrong_of_fake
            losses[f"{head}/real"] = _means(real, valid, samples).detach()
            losses[f"{head}/fake"] = _means(fake, valid, samples).detach()
        return losses


def _halves(items: int) -> tuple[slice, slice]:
    return slice(0, items), slice(items, 2 * items)


def _feature_distance(real: Maps, fake: Maps, valid: torch.Tensor, samples: int) -> torch.Tensor:
    """Mean over discriminators and layers of how far their outputs differ, ``[B]``."""
    distances = []
    for of_real, of_fake in zip(real, fake, strict=True):
        for one, other in zip(of_real[:-1], of_fake[:-1], strict=True):
            difference = _own_mean((one - other).abs(), valid, samples)
            size = _own_mean(one.abs(), valid, samples)
            distances.append(difference / (size + SMALL_FEATURE))
    return torch.stack(distances).mean(0)


def _own_mean(values: torch.Tensor, valid: torch.Tensor, samples: int) -> torch.Tensor:
    """Mean of a map ``[B, C, time, ...]`` over the time of each item's own audio: ``[B]``.

    Args:
        valid: samples of each item that are its own, of ``samples``.
    """
    over_time = values.mean((1, 3))
    positions = over_time.shape[-1]
    own = torch.div(valid * positions + samples - 1, samples, rounding_mode="floor").clamp_min(1)
    return masked_mean(over_time, valid_mask(over_time, own))


def _means(maps: list[torch.Tensor], valid: torch.Tensor, samples: int) -> torch.Tensor:
    """Mean over several discriminators' maps, each over its own positions: ``[B]``."""
    return torch.stack([_own_mean(each, valid, samples) for each in maps]).mean(0)
