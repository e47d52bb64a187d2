"""Sidon over batches that fit the device, whatever its memory and however its files were traced."""

import torch

from snac_cache.targets.sidon import INPUT_RATE, Features, Sidon
from snac_common.console import note
from snac_common.errors import Failure
from snac_model.audio.header import AudioError

GPU_BATCH_SECONDS = 240.0
FAILURES = (RuntimeError, LookupError, TypeError, MemoryError, torch.jit.Error)
LEAST_LIKENESS = 0.98  # of an utterance in a batch to the same one alone: a cosine


class SidonBatches:
    """Resynthesises batches of utterances of equal padded length.

    A batch that does not fit into memory is halved, and so are those after it. TorchScript that
    was traced for one utterance may refuse a batch or mix its utterances up: the first batch is
    therefore compared with one of its utterances alone, and where that fails all are done alone.

    Args:
        batch_seconds: padded audio in a batch; None is 240 on a GPU, and one utterance on a CPU,
            which gains nothing from more.
    """

    def __init__(self, sidon: Sidon, batch_seconds: float | None = None) -> None:
        self.sidon = sidon
        if batch_seconds is None:
            batch_seconds = GPU_BATCH_SECONDS if torch.device(sidon.device).type == "cuda" else 0.0
        self.most_samples = round(batch_seconds * INPUT_RATE)
        self._batches_work: bool | None = None

    def room(self, padded_samples: int) -> int:
        """Return how many utterances of this padded length a batch holds, at least one."""
        if self._batches_work is False:
            return 1
        return max(1, self.most_samples // padded_samples)

    def __call__(self, batch: list[Features]) -> list[torch.Tensor | AudioError]:
        """Return 48 kHz audio ``[T]`` of each utterance, or that it is ``too_long_for_device``.

        Raises:
            Failure: if one of the halves fails for an utterance alone.
        """
        if self._batches_work is False and len(batch) > 1:
            return self._one_by_one(batch)
        made = self._try(batch)
        if isinstance(made, torch.Tensor):
            return list(made)
        if len(batch) == 1:
            return [self._explain(made)]
        if _is_out_of_memory(made):
            self.most_samples //= 2
            half = len(batch) // 2
            return self(batch[:half]) + self(batch[half:])
        alone = self._one_by_one(batch)  # a Failure if that is no remedy
        note(f"Sidon is run on one utterance at a time, since not on several: {_first_line(made)}")
        self._batches_work = False
        return alone

    def _one_by_one(self, batch: list[Features]) -> list[torch.Tensor | AudioError]:
        return [self([features])[0] for features in batch]

    def _try(self, batch: list[Features]) -> torch.Tensor | Exception:
        """Return the audio ``[B, T]``, or the error, without what it held in memory."""
        try:
            made = self.sidon.resynthesise(batch)
            if len(made) != len(batch):
                raise RuntimeError(f"{len(batch)} utterances went in, {len(made)} came out")
            if len(batch) > 1 and self._batches_work is None:
                self._compare(made[0], self.sidon.resynthesise(batch[:1])[0])
            return made
        except FAILURES as error:
            failed = error.with_traceback(None)
        if torch.device(self.sidon.device).type == "cuda":
            torch.cuda.empty_cache()
        return failed

    def _compare(self, together: torch.Tensor, alone: torch.Tensor) -> None:
        likeness = torch.nn.functional.cosine_similarity(together, alone, dim=0)
        if alone.any() and not likeness >= LEAST_LIKENESS:
            raise RuntimeError(f"an utterance in a batch differs from it alone: {likeness:.3f}")
        self._batches_work = True

    def _explain(self, error: Exception) -> AudioError:
        """Return the reason for which an utterance is rejected; raise what concerns all of them."""
        if _is_out_of_memory(error):
            return AudioError("too_long_for_device", _first_line(error))
        raise Failure(
            f"Sidon failed: {error}\nAre its two files a pair, and made for {self.sidon.device}?"
        ) from error


def _is_out_of_memory(error: Exception) -> bool:
    """Say whether memory was short; TorchScript passes the error on as text."""
    text = str(error).lower()
    return (
        isinstance(error, (torch.OutOfMemoryError, MemoryError))
        or "out of memory" in text
        or "can't allocate memory" in text
    )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
