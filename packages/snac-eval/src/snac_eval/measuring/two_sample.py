"""A classifier two-sample test: can a fresh small network tell outputs from recordings?

After Lopez-Paz and Oquab, "Revisiting classifier two-sample tests" (2017). A network is trained for
every model and rate on half of the utterances, and asked about excerpts of the other half. Then the
halves change places, so that every utterance is judged once, by a network that never met it. Output
and recording of an utterance are always in the same half. No decoder was trained against this
network, so none can have learned to please it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import nn

from snac_eval.metrics.frames import PATCHES, Frames
from snac_eval.models.decoding import utterance_seed

STEPS, BATCH = 120, 16  # pairs of excerpts in a batch
LEARNING_RATE, WEIGHT_DECAY = 4e-3, 1e-2
MOST = 512  # utterances that a network is trained on

Read = Callable[[], Iterator[Frames]]


class Classifier(nn.Module):
    """Says of log-mel excerpts ``[B, 40, 32]`` whether they are outputs: logits ``[B]``.

    Args:
        excerpts: what levels are normalised by in each band, ``[N, 40, 32]``.
    """

    def __init__(self, excerpts: torch.Tensor) -> None:
        super().__init__()
        self.mean = excerpts.mean((0, 2))[:, None]
        self.scale = excerpts.std((0, 2))[:, None] + 1e-3
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, stride=2),
            nn.ReLU(),
        )
        self.last = nn.Linear(32, 1)

    def forward(self, excerpts: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        maps: torch.Tensor = self.layers(((excerpts - self.mean) / self.scale)[:, None])
        logits: torch.Tensor = self.last(maps.mean((2, 3)))[:, 0]
        return logits


class TwoSample:
    """The two networks of one output.

    Args:
        folds: the half of every utterance, 0 or 1, by its id.
        classifiers: by the half that they judge, having been trained on the other.
    """

    def __init__(self, folds: dict[str, int], classifiers: Sequence[Classifier | None]) -> None:
        self.folds = folds
        self.classifiers = classifiers

    @torch.inference_mode()
    def value(self, frames: Frames) -> float:
        """Return the share of an utterance's excerpts that were told rightly; 0.5 is chance."""
        classifier = self.classifiers[self.folds[frames.utterance_id]]
        if classifier is None:
            return 0.5
        output, reference = (classifier(one) for one in _excerpts([frames]))
        right = (output > 0).sum() + (reference <= 0).sum()
        return right.item() / (2 * PATCHES)


def train_two_sample(read: Read, output: tuple[str, int], seed: int) -> TwoSample:
    """Train the two networks of an output.

    Args:
        read: goes through the frames of all outputs and utterances.
        output: its model and rate.
        seed: decides the halves, the networks' first weights and the order of excerpts.
    """
    ids = {one.utterance_id for one in read() if one.output == output}
    ranked = sorted(ids, key=lambda one: (utterance_seed(seed, one), one))
    folds = {one: place % 2 for place, one in enumerate(ranked)}
    return TwoSample(
        folds, [_trained(read, output, set(ranked[1 - half :: 2][:MOST]), seed) for half in (0, 1)]
    )


def _trained(read: Read, output: tuple[str, int], ids: set[str], seed: int) -> Classifier | None:
    """Train a network on some utterances; None without any."""
    if not ids:
        return None
    outputs, references = _excerpts(
        one for one in read() if one.output == output and one.utterance_id in ids
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = Classifier(torch.cat([outputs, references]))
        optimizer = torch.optim.AdamW(
            classifier.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
        for _ in range(STEPS):
            drawn = torch.randint(len(outputs), (BATCH,))
            pairs = torch.cat([outputs[drawn], references[drawn]])
            truth = torch.cat([torch.ones(BATCH), torch.zeros(BATCH)])
            loss = nn.functional.binary_cross_entropy_with_logits(classifier(pairs), truth)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return classifier


def _excerpts(frames: Iterable[Frames]) -> torch.Tensor:
    """Return the excerpts of outputs and references, float32 ``[2, N, 40, 32]``."""
    patches = [one.patches for one in frames if one.patches is not None]
    return torch.from_numpy(np.concatenate(patches, axis=1).astype(np.float32))
