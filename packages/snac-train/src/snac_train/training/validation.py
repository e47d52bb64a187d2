"""Measuring a model: the same utterances, segments and noise each time, whatever the batch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from snac_common.errors import Failure
from snac_common.progress import progress
from snac_train.data.dataset import SegmentDataset
from snac_train.data.inputs import Inputs
from snac_train.data.loading import Readers
from snac_train.data.reading import Segments
from snac_train.data.segments import Batch, Reject
from snac_train.data.slices import Draws, in_order
from snac_train.distributed.processes import Processes
from snac_train.distributed.signals import STOPS, Requests
from snac_train.recipe.tables import Recipe
from snac_train.training.arithmetic import tf32
from snac_train.training.codebook_use import CodebookUse
from snac_train.training.metrics import Blame, LossSums
from snac_train.training.objective import Losses, Objective, resampled_losses

BATCHES_BETWEEN_WISHES = 8  # to ask the others is to wait for the device


@dataclass(frozen=True)
class Validator:
    """Measures objectives on the same segments each time, in float32 whatever trains.

    Attributes:
        segments: those of ``Draws.for_validation``.
        reject: is told in every process of the utterances that none could read, in whose place
            others were measured.
    """

    segments: Segments
    readers: Readers
    batch_size: int
    processes: Processes
    requests: Requests
    reject: Callable[[list[Reject]], None]

    @property
    def dataset(self) -> SegmentDataset:
        """The segments themselves."""
        return self.readers.source.dataset(self.segments)

    def validate(self, objective: Objective) -> dict[str, float]:
        """Return the mean over utterances of every loss.

        With a tokenizer that is being trained also the use of its codebooks.

        Raises:
            Failure: if an utterance's loss is not finite, or too much audio cannot be read.
            KeyboardInterrupt, Terminated: if a signal asked to stop.
        """
        use = CodebookUse(objective.model) if objective.trains_tokenizer else None

        def losses_of(batch: Batch) -> Losses:
            losses, codes = objective.with_codes(batch)
            if use:
                use.add(codes, batch)
            return losses

        means = self._measure(losses_of)
        return means | (use.figures(self.processes) if use else {})

    def taught(self, objective: Objective) -> dict[str, float]:
        """Return the mean losses of what the objective's teacher makes of the codes."""

        def losses_of(batch: Batch) -> Losses:
            return objective.compare(
                objective.taught(objective.latents(batch).values, batch), batch
            )

        return self._measure(losses_of)

    def resampled(self, base: Objective, wanted: Objective) -> dict[str, float]:
        """Return the mean 48 kHz losses of a base's resampled 24 kHz output."""
        return self._measure(lambda batch: resampled_losses(base, wanted, batch))

    @torch.no_grad()
    def _measure(self, losses_of: Callable[[Batch], Losses]) -> dict[str, float]:
        sums, blame = LossSums(self.processes.device), Blame()
        rejects: list[Reject] = []
        with tf32(False):
            for batch, counted in self._batches():
                losses = losses_of(batch)
                sums.add(losses, counted=counted)
                blame.add(losses, batch)
                rejects += batch.rejects if counted else []
        if blamed := self.processes.gather(blame.not_finite()):
            raise Failure(
                f"the loss is not finite in validation for {', '.join(sorted(set(blamed)))}. "
                "Look at these files, or lower the learning rate."
            )
        self.reject(self.processes.gather(rejects))
        totals, count = sums.over(self.processes)
        return {name: value / count for name, value in totals.items()}

    def _batches(self) -> Iterator[tuple[Batch, bool]]:
        """Yield this process's batches, equally many in each: what fills up does not count."""
        positions = np.arange(len(self.readers.source.utterances[self.segments.split]))
        batches = in_order(positions, self.batch_size)
        rounds = -(-len(batches) // self.processes.world_size)
        share = self.processes.share(batches)
        shown = self.processes.is_main
        loaded = self.readers.read(self.segments, (share + batches[:1])[:rounds])
        failure: Failure | None = None
        alone = self.processes.world_size == 1
        with progress(rounds, "validate", "batches", shown=shown) as advance:
            for number, read in enumerate(islice(loaded, rounds)):
                batch, counted = read, number < len(share)
                if isinstance(batch, Failure):  # the others know nothing of it yet
                    failure, batch, counted = failure or batch, self.dataset.silence(), False
                if alone or number % BATCHES_BETWEEN_WISHES == 0 or number == rounds - 1:
                    self._go_on_together(failure)
                yield batch.to(self.processes.device), counted
                advance(1)

    def _go_on_together(self, failure: Failure | None) -> None:
        failed, stop = self.processes.largest([failure is not None, self.requests.stop])
        if failed:
            self.processes.fail_together(failure)
        if stop:
            raise STOPS[stop]


@dataclass(frozen=True)
class Validators:
    """Makes validators of one run's utterances for any segment length.

    Attributes:
        reject: as for Validator.
    """

    recipe: Recipe
    inputs: Inputs
    readers: Readers
    processes: Processes
    requests: Requests
    reject: Callable[[list[Reject]], None]

    def of(self, segment_s: float) -> Validator:
        """Return the validator with segments of about ``segment_s`` seconds.

        Its segments depend on utterances and validation settings alone.
        """
        return Validator(
            segments_to_validate(self.recipe, self.inputs, segment_s),
            self.readers,
            self.recipe.validation.batch_size,
            processes=self.processes,
            requests=self.requests,
            reject=self.reject,
        )


def segments_to_validate(recipe: Recipe, inputs: Inputs, segment_s: float) -> Segments:
    """Return segments of about ``segment_s`` seconds of the val split, the same in every run."""
    tokens = inputs.model.geometry.coarse_tokens(segment_s)
    return Segments("val", tokens, Draws.for_validation(recipe.validation.seed))


def validation_segments(recipe: Recipe, inputs: Inputs, segment_s: float) -> SegmentDataset:
    """Return those segments, ready to be read."""
    segments = segments_to_validate(recipe, inputs, segment_s)
    return inputs.source(recipe).dataset(segments)
