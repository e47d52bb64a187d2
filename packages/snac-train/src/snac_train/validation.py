"""Measuring a model: the same utterances, segments and noise each time, whatever the batch."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from snac_model.errors import Failure
from snac_model.geometry import Geometry
from snac_train.dataset import SegmentDataset, Utterances
from snac_train.loading import load_batches
from snac_train.metrics import Means
from snac_train.objective import DualHeadObjective, Losses
from snac_train.recipe import Validation
from snac_train.segments import Batch
from snac_train.slices import Draws, in_order


def validation_segments(
    utterances: Utterances, geometry: Geometry, context: int, settings: Validation
) -> SegmentDataset:
    """Return the segments to validate on, which depend on utterances and settings alone."""
    segment_tokens = geometry.coarse_tokens(settings.segment_s)
    draws = Draws.for_validation(settings.seed)
    return SegmentDataset(utterances, geometry, segment_tokens, context, draws)


@dataclass(frozen=True)
class Validator:
    """Measures an objective on the same segments each time."""

    segments: SegmentDataset
    batch_size: int
    workers: int
    device: torch.device

    def validate(self, objective: DualHeadObjective) -> dict[str, float]:
        """Return the mean over utterances of every loss.

        Raises:
            Failure: if an utterance's loss is not finite.
        """
        return self._measure(objective)

    def baseline(self, objective: DualHeadObjective) -> dict[str, float]:
        """Validate, and measure the 24 kHz output resampled to 48 kHz as well."""
        return self._measure(objective) | self._measure(objective.resampled_baseline)

    @torch.no_grad()
    def _measure(self, losses_of: Callable[[Batch], Losses]) -> dict[str, float]:
        means = Means()
        batches = in_order(list(range(len(self.segments))), self.batch_size)
        for batch in load_batches(self.segments, batches, self.workers, self.device):
            losses = losses_of(batch)
            check_finite(losses, batch, "validation")
            means.add(losses)
        return means.take()


def check_finite(losses: Losses, batch: Batch, where: str) -> None:
    """Raise Failure naming the utterances whose loss is not a finite number."""
    finite = torch.stack(list(losses.values())).isfinite().all(0)
    if not finite.all():
        pairs = zip(batch.utterance_ids, finite.tolist(), strict=True)
        named = ", ".join(utterance_id for utterance_id, fine in pairs if not fine)
        raise Failure(
            f"the loss is not finite in {where} for {named}. "
            "Look at these files, or lower the learning rate."
        )
