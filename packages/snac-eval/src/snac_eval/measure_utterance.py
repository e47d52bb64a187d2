"""Decoding and measuring single utterances, alike in every process."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch

from snac_cache.store.code_store import CodeStore
from snac_common.devices import prepare_cpu_worker
from snac_eval.decoding import Decoder, Output
from snac_eval.measure import Measures, Row
from snac_eval.models import ModelSource, load_model
from snac_eval.references import Reference, read_reference
from snac_eval.samples import REFERENCE, Sample


@dataclass(frozen=True)
class Job:
    """What every process of an evaluation needs to know.

    Attributes:
        places: of the models, the base first.
        codes: folder of the cached codes.
        split: whose utterances.
        manifest: what is known of them.
        seed: of the decoder's noise.
        segment_s: seconds of each utterance that are judged; None for all.
        perceptual: which of ``perceptual.METRICS`` to compute.
        ceiling: whether the reference is judged too, as the best that is possible.
    """

    places: Sequence[ModelSource]
    codes: Path
    split: str
    manifest: Path
    seed: int
    segment_s: float | None
    perceptual: tuple[str, ...]
    ceiling: bool

    def __call__(self, device: str) -> Callable[[int], list[Row]]:
        """Get ready in a new process; return the work on one utterance."""
        return UtteranceMeasurer(self, device).rows


class UtteranceMeasurer:
    """Decodes and measures utterances one at a time, so that nothing depends on their company.

    On the CPU it computes in one thread: sums depend on the number of threads.
    """

    def __init__(self, job: Job, device: str) -> None:
        place = torch.device(device)
        if place.type == "cpu":
            prepare_cpu_worker()
        self.ceiling = job.ceiling
        self.store = CodeStore(job.codes, job.split, job.manifest)
        self.subjects = [load_model(place, self.store.identity) for place in job.places]
        self.decoder = Decoder(self.subjects, self.store, job.seed, place, job.segment_s)
        self.measures = Measures(self.decoder.rates, place, job.perceptual)

    def rows(self, index: int) -> list[Row]:
        """Measure an utterance with all metrics."""
        reference, outputs = self._listen(index)
        return self.measures.rows(self.store[index].utterance_id, outputs, reference)

    def sample(self, index: int, losses: dict[tuple[str, int], float | None], why: str) -> Sample:
        """Keep an utterance's audio, with the ``losses`` by model and rate."""
        reference, outputs = self._listen(index)
        made = [output for output in outputs if output.model != REFERENCE]
        return Sample.of(self.store[index], reference, made, losses, why)

    def _listen(self, index: int) -> tuple[Reference, list[Output]]:
        samples = self.decoder.num_samples(index)
        reference = read_reference(self.store[index], self.store.geometry, samples)
        with _exact_convolutions():
            outputs = self.decoder.outputs(index)
        if self.ceiling:
            outputs += [
                Output(REFERENCE, rate, audio.to(self.decoder.device))
                for rate, audio in reference.audio.items()
            ]
        return reference, outputs


def _exact_convolutions() -> AbstractContextManager[None]:
    """Have a GPU convolve in full float32, and alike each time."""
    return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
