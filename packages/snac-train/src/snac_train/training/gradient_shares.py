"""Which loss moves the decoder, and how much: gradients at its output."""

import torch

from snac_train.training.adversary import Heard, Opponent
from snac_train.training.objective import Losses, Objective


def gradient_shares(objective: Objective, opponent: Opponent, heard: dict[str, Heard]) -> Losses:
    """Return the share that each weighted term has in the gradients at each head's output.

    As the norm of its gradient over the sum of all norms, ``<head>/share/<term>``: what a loss
    weighs in a sum says little of how much it changes.

    Args:
        heard: what the decoder's turn has left of a micro-batch.
    """
    shares: Losses = {}
    for head, pair in heard.items():
        output = pair.output.detach().requires_grad_()
        terms = _weighted_terms(objective, opponent, head, pair._replace(output=output))
        norms = {
            name: torch.autograd.grad(value.sum(), output, retain_graph=True)[0].norm()
            for name, value in terms.items()
        }
        total = torch.stack(list(norms.values())).sum().clamp_min(1e-12)
        shares |= {f"{head}/share/{name}": norm / total for name, norm in norms.items()}
    return shares


def _weighted_terms(objective: Objective, opponent: Opponent, head: str, pair: Heard) -> Losses:
    head_loss = objective.head_loss(head)
    values = head_loss.values(*pair)
    said = opponent.terms(head, pair)
    return head_loss.weighted(values) | {
        name: weight * said[name] for name, weight in opponent.weights.items()
    }
