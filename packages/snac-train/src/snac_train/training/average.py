"""A moving average of a decoder's weights, which is steadier than the weights of any one step."""

import copy
from collections.abc import Mapping

import torch
from torch import nn

from snac_model.codec.snac import SNAC


class MovingAverage:
    """Follows a model's decoder; the averaged model is measured and kept in its place.

    Args:
        decay: share of the average that a step leaves as it is.

    Attributes:
        model: the averaged one, with encoder and quantizer as they are in the other.
    """

    def __init__(self, model: SNAC, decay: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.decay = decay
        self._own: dict[str, torch.Tensor] = {**decoder_parameters(self.model)}
        self._followed: dict[str, torch.Tensor] = {**decoder_parameters(model)}

    @torch.no_grad()
    def follow(self, left_out: torch.Tensor) -> None:
        """Move towards the model's weights after a step.

        Args:
            left_out: a float32 scalar on the device, 1 where the step has changed no weight.
        """
        own, followed = list(self._own.values()), list(self._followed.values())
        differences = torch._foreach_sub(followed, own)
        torch._foreach_mul_(differences, (1 - self.decay) * (1 - left_out))
        torch._foreach_add_(own, differences)

    def state(self) -> dict[str, torch.Tensor]:
        """Return what a checkpoint keeps: the averaged weights by name."""
        return {name: weight.detach() for name, weight in self._own.items()}

    @torch.no_grad()
    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from what ``state`` returned."""
        for name, weight in self._own.items():
            weight.copy_(state[name])


def decoder_parameters(model: SNAC) -> dict[str, nn.Parameter]:
    """Return all weights of a model's decoder, every head's among them, by their names."""
    groups = model.synthesizer.parameter_groups().values()
    of_decoder = {id(weight) for group in groups for weight in group}
    return {name: weight for name, weight in model.named_parameters() if id(weight) in of_decoder}
