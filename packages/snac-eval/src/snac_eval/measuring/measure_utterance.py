"""Decoding and measuring single utterances, alike in every process."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from snac_cache.store.code_store import CachedUtterance, CodeStore
from snac_common.devices import prepare_cpu_worker
from snac_eval.measuring.measure import Measured, Measures, Row
from snac_eval.measuring.samples import Sample
from snac_eval.models.decoding import Decoder, Output
from snac_eval.models.evaluated import LoadedModel, ModelSource, load_model
from snac_eval.models.names import REFERENCE
from snac_eval.models.references import NoReference, Reference, read_reference


@dataclass(frozen=True)
class Job:
    """What every process of an evaluation needs to know.

    Attributes:
        models: where they are, the base first.
        codes: folder of the cached codes.
        split: whose utterances.
        manifest: what is known of them.
        seed: of the decoder's noise.
        segment_s: seconds of each utterance that are measured; None for all.
        perceptual: which of ``perceptual.METRICS`` to compute.
        two_sample: whether classifiers are to tell outputs from references.
        ceiling: whether the reference is measured too, as the best that is possible.
    """

    models: Sequence[ModelSource]
    codes: Path
    split: str
    manifest: Path
    seed: int
    segment_s: float | None
    perceptual: tuple[str, ...]
    two_sample: bool
    ceiling: bool


class UtteranceMeasurer:
    """Decodes and measures utterances one at a time, so that nothing depends on their company.

    On the CPU it computes in one thread: sums depend on the number of threads.

    Args:
        models: those of the job, where they are loaded already.
    """

    def __init__(self, job: Job, device: str, models: Sequence[LoadedModel] | None = None) -> None:
        place = torch.device(device)
        if place.type == "cpu":
            prepare_cpu_worker()
        else:
            torch.set_num_threads(1)
        self.ceiling = job.ceiling
        self.store = CodeStore(job.codes, job.split, job.manifest)
        self.models = models or [load_model(model, self.store.identity) for model in job.models]
        self.decoder = Decoder(self.models, self.store, job.seed, place, job.segment_s)
        self.measures = Measures(
            self.decoder.rates, place, job.perceptual, two_sample=job.two_sample
        )

    def measure(self, index: int) -> Measured:
        """Measure an utterance with all metrics; without a reference, say why in each row."""
        utterance = self.store[index]
        with _exact_arithmetic():
            try:
                reference, outputs = self._listen(index)
            except NoReference as missing:
                return Measured(list(self._without_reference(utterance, missing)))
            return self.measures.measure(utterance.utterance_id, outputs, reference)

    def sample(self, index: int, losses: dict[tuple[str, int], float | None], why: str) -> Sample:
        """Keep an utterance's audio, with the ``losses`` by model and rate.

        Raises:
            NoReference: if it has none.
        """
        with _exact_arithmetic():
            reference, outputs = self._listen(index)
        made = [output for output in outputs if output.model != REFERENCE]
        return Sample.of(self.store[index], reference, made, losses, why)

    def _listen(self, index: int) -> tuple[Reference, list[Output]]:
        samples = self.decoder.num_samples(index)
        reference = read_reference(self.store[index], self.store.geometry, samples)
        outputs = self.decoder.outputs(index)
        if self.ceiling:
            outputs += [
                Output(REFERENCE, rate, audio.to(self.decoder.device))
                for rate, audio in reference.audio.items()
            ]
        return reference, outputs

    def _without_reference(self, utterance: CachedUtterance, missing: NoReference) -> Iterator[Row]:
        for model, rate in self.decoder.versions():
            for metric in self.measures.names(rate):
                yield Row(
                    utterance.utterance_id, model, rate, metric, None, missing.reason, str(missing)
                )


@contextmanager
def _exact_arithmetic() -> Iterator[None]:
    """Have a GPU compute in full float32, and alike each time: decoding, resampling, metrics."""
    matmul = torch.backends.cuda.matmul
    before, matmul.allow_tf32 = matmul.allow_tf32, False
    try:
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            yield
    finally:
        matmul.allow_tf32 = before
