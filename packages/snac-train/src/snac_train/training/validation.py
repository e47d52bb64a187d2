"""Measuring a model: the same utterances, segments and noise each time, whatever the batch."""

from collections.abc import Callable, Iterator
from itertools import islice

import torch

from snac_common.errors import Failure
from snac_model.geometry import Geometry
from snac_train.data.dataset import SegmentDataset
from snac_train.data.inputs import Inputs
from snac_train.data.loading import load_batches
from snac_train.data.segments import Batch
from snac_train.data.slices import Draws, in_order
from snac_train.distributed.processes import Processes
from snac_train.distributed.signals import STOPS, Requests
from snac_train.recipe.tables import Recipe
from snac_train.training.codebook_use import CodebookUse
from snac_train.training.metrics import Sums, not_finite
from snac_train.training.objective import Losses, Objective, resampled_losses


class Validator:
    """Measures objectives on the same segments each time.

    Args:
        segments: those of ``Draws.for_validation``.
        workers: processes that read ahead.
    """

    def __init__(
        self,
        segments: SegmentDataset,
        batch_size: int,
        workers: int,
        processes: Processes,
        requests: Requests,
    ) -> None:
        self.segments = segments
        self.batch_size = batch_size
        self.workers = workers
        self.processes = processes
        self.requests = requests

    def validate(self, objective: Objective) -> dict[str, float]:
        """Return the mean over utterances of every loss.

        With a tokenizer that is being trained also the use of its codebooks.

        Raises:
            Failure: if an utterance's loss is not finite, or its audio cannot be read.
            KeyboardInterrupt, Terminated: if a signal asked to stop.
        """
        use = CodebookUse(objective.model) if objective.trains_tokenizer else None

        def losses_of(batch: Batch) -> Losses:
            if use:
                use.add(objective.codes(batch), batch)
            return objective(batch)

        means = self._measure(losses_of)
        return means | (use.figures(self.processes) if use else {})

    def resampled(self, base: Objective, wanted: Objective) -> dict[str, float]:
        """Return the mean 48 kHz losses of a base's resampled 24 kHz output."""
        return self._measure(lambda batch: resampled_losses(base, wanted, batch))

    @torch.no_grad()
    def _measure(self, losses_of: Callable[[Batch], Losses]) -> dict[str, float]:
        sums = Sums(self.processes.device)
        blamed: list[str] = []
        for batch, counted in self._batches():
            losses = losses_of(batch)
            sums.add(losses, counted=counted)
            blamed += not_finite(losses, batch)
        if blamed := self.processes.gather(blamed):
            raise Failure(
                f"the loss is not finite in validation for {', '.join(sorted(set(blamed)))}. "
                "Look at these files, or lower the learning rate."
            )
        totals, count = sums.over(self.processes)
        return {name: value / count for name, value in totals.items()}

    def _batches(self) -> Iterator[tuple[Batch, bool]]:
        """Yield this process's batches, equally many in each: what fills up does not count."""
        batches = in_order(list(range(len(self.segments))), self.batch_size)
        rounds = -(-len(batches) // self.processes.count)
        share = self.processes.share(batches)
        counted = [True] * len(share) + [False] * (rounds - len(share))
        loaded = load_batches(self.segments, (share + batches[:1])[:rounds], self.workers)
        for batch, counts in zip(islice(loaded, rounds), counted, strict=True):
            self._go_on_together(batch)
            if isinstance(batch, Batch):
                yield batch.to(self.processes.device), counts

    def _go_on_together(self, batch: Batch | Failure) -> None:
        self.processes.fail_together(batch if isinstance(batch, Failure) else None)
        if stop := self.processes.largest([self.requests.stop])[0]:
            raise STOPS[stop]


class Validators:
    """Makes validators of one run's utterances for any segment length."""

    def __init__(
        self,
        recipe: Recipe,
        inputs: Inputs,
        workers: int,
        processes: Processes,
        requests: Requests,
    ) -> None:
        self.recipe = recipe
        self.inputs = inputs
        self.workers = workers
        self.processes = processes
        self.requests = requests

    def of(self, segment_s: float) -> Validator:
        """Return the validator with segments of about ``segment_s`` seconds.

        Its segments depend on utterances and validation settings alone.
        """
        segments = validation_segments(self.recipe, self.inputs, segment_s)
        size = self.recipe.validation.batch_size
        return Validator(segments, size, self.workers, self.processes, self.requests)


def validation_segments(recipe: Recipe, inputs: Inputs, segment_s: float) -> SegmentDataset:
    """Return segments of about ``segment_s`` seconds of the val split, the same in every run."""
    geometry = inputs.model.geometry
    return SegmentDataset(
        inputs.val,
        inputs.reference,
        geometry,
        segment_tokens=geometry.coarse_tokens(segment_s),
        context=context_tokens(geometry, recipe),
        draws=Draws.for_validation(recipe.validation.seed),
    )


def context_tokens(geometry: Geometry, recipe: Recipe) -> int:
    """Return the coarse tokens that are decoded on each side of a segment."""
    return geometry.context_tokens if recipe.data.context else 0
