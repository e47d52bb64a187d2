"""The Fréchet distance of log-mel frames: how far a set of outputs is from that of the recordings.

Frames are taken as normally distributed, so the distance is one of means and covariances (Dowson
and Landau, "The Fréchet distance between multivariate normal distributions", 1982), as in the
Fréchet audio distance (Kilgour et al. 2019). It is that of plain log-mel frames with their deltas,
and needs no trained network.

It belongs to the set. An utterance is given its jackknife pseudo-value (Tukey 1958): n times the
distance of all n utterances, less n - 1 times that of the others. The mean of these values is the
distance without what makes it too large in small sets, and their spread is its uncertainty. So
means, paired differences and intervals are computed as those of any other metric.
"""

from functools import cached_property

import numpy as np
import torch

from snac_eval.metrics.frames import DIMENSIONS, Frames


class SetMoments:
    """Adds up the moments of outputs and references, each utterance with the same weight."""

    def __init__(self) -> None:
        self.count = 0
        self.first = np.zeros((2, DIMENSIONS))
        self.second = np.zeros((2, DIMENSIONS, DIMENSIONS))

    def add(self, frames: Frames) -> None:
        """Add an utterance."""
        self.count += 1
        first, second = _moments(frames)
        self.first += first
        self.second += second

    def distance(self, without: Frames | None = None) -> float:
        """Return the distance of the set, or of the set without one of its utterances."""
        count, first, second = self.count, self.first, self.second
        if without:
            own_first, own_second = _moments(without)
            count, first, second = count - 1, first - own_first, second - own_second
        means = first / count
        covariances = second / count - means[:, :, None] * means[:, None, :]
        return frechet_distance(*means, *covariances)

    @cached_property
    def _whole(self) -> float:
        return self.distance()

    def value(self, frames: Frames) -> float:
        """Return an utterance's pseudo-value, once all are added; the distance if it is alone."""
        if self.count == 1:
            return self._whole
        return self.count * self._whole - (self.count - 1) * self.distance(without=frames)


def frechet_distance(
    mean: np.ndarray, other_mean: np.ndarray, covariance: np.ndarray, other: np.ndarray
) -> float:
    """Return the squared Fréchet distance of two normal distributions.

    Args:
        mean: ``[D]``, as ``other_mean``.
        covariance: float64 ``[D, D]``, as ``other``; either may be singular.

    torch computes the eigenvalues: NumPy's threads take fifty times as long for so small matrices
    when other work keeps the cores busy.
    """
    first, second = torch.from_numpy(covariance), torch.from_numpy(other)
    values, vectors = torch.linalg.eigh(first)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    shared = torch.linalg.eigvalsh(root @ second @ root)  # those of the product, but symmetric
    spread = first.trace() + second.trace() - 2 * shared.clamp_min(0).sqrt().sum()
    return float(np.square(mean - other_mean).sum()) + max(spread.item(), 0.0)


def _moments(frames: Frames) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and mean outer product of the output's and the reference's frames."""
    means = frames.means()
    return means, frames.covariances() + means[:, :, None] * means[:, None, :]
