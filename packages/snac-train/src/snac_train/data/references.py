"""What an output is compared with: audio at one rate, read only where a segment is."""

import math
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
import torch
import torch.nn.functional as F

from snac_cache.schema import TARGET_RATE
from snac_cache.store.code_store import CachedUtterance
from snac_common.errors import Failure
from snac_model.audio.header import AudioError
from snac_model.audio.locators import file_of
from snac_model.audio.reading import read_with_header, resample
from snac_model.audio.sinc_kernel import resample_margin
from snac_train.data.segments import Reject


class UnreadableAudio(Failure):
    """One utterance's audio cannot be read, or is not what was encoded.

    Attributes:
        may_pass: whether reading it again may succeed, as on a network disk.
    """

    def __init__(self, message: str, reject: Reject, *, may_pass: bool) -> None:
        super().__init__(message)
        self.reject = reject
        self.may_pass = may_pass


class Rows(Protocol):
    """Utterances by row: of a code cache, or of a manifest."""

    def __getitem__(self, row: int) -> CachedUtterance: ...

    def column(self, name: str) -> pa.ChunkedArray:
        """Return a column of all rows."""
        ...


class Reference(Protocol):
    """Audio of an utterance at ``rate``."""

    rate: int

    def frames(self, utterance: CachedUtterance) -> int:
        """Return the length at ``rate`` of an utterance, by ceiling."""
        ...

    def read(self, utterance: CachedUtterance, start: int, stop: int) -> torch.Tensor:
        """Read samples ``start`` to ``stop``, silence where the file has none: ``[T]``.

        Raises:
            UnreadableAudio: if it cannot be read, or is not what was encoded.
        """
        ...


class Targets:
    """The 48 kHz targets."""

    rate = TARGET_RATE

    def frames(self, utterance: CachedUtterance) -> int:
        """Return the length that a target has if it belongs to its source."""
        return length_at(utterance, utterance.source_sample_rate, TARGET_RATE)

    def read(self, utterance: CachedUtterance, start: int, stop: int) -> torch.Tensor:
        """Read a slice of the target file."""
        expected = (TARGET_RATE, self.frames(utterance))
        of = _File(utterance.utterance_id, str(utterance.target_path), "the target of ", expected)
        return of.read(start, stop)


class Sources:
    """The files that were encoded, resampled to ``rate`` as the encoder's input was."""

    def __init__(self, rate: int) -> None:
        self.rate = rate

    def frames(self, utterance: CachedUtterance) -> int:
        """Return the resampled length."""
        return length_at(utterance, utterance.source_sample_rate, self.rate)

    def read(self, utterance: CachedUtterance, start: int, stop: int) -> torch.Tensor:
        """Read and resample a slice; as in the whole file's resampling."""
        return read_source(utterance, start, stop, utterance.source_sample_rate, self.rate)


def read_source(
    utterance: CachedUtterance, start: int, stop: int, from_rate: int, to_rate: int
) -> torch.Tensor:
    """Read samples ``start`` to ``stop`` of a file as if it were resampled whole: ``[T]``.

    The rates need only be in the right proportion; another one changes the speed.
    """
    common = math.gcd(from_rate, to_rate)
    step, native_step = to_rate // common, from_rate // common
    margin = margin_for(from_rate, to_rate) // native_step
    first = start // step - margin  # in steps, in which both rates have whole samples
    last = -(-stop // step) + margin
    expected = (utterance.source_sample_rate, utterance.num_frames)
    file = _File(utterance.utterance_id, utterance.audio_path, "", expected)
    audio = file.read(first * native_step, last * native_step)
    return resample(audio, from_rate, to_rate)[start - first * step : stop - first * step]


def margin_for(from_rate: int, to_rate: int) -> int:
    """Samples beside a slice, each side, that its resampling depends on.

    Rounded up to whole steps of the resampler, so that a slice keeps the whole file's phase.
    """
    step = from_rate // math.gcd(from_rate, to_rate)
    return -(-resample_margin(from_rate, to_rate) // step) * step


def length_at(utterance: CachedUtterance, from_rate: int, to_rate: int) -> int:
    """Return the length of ``read_source`` with the same rates, by ceiling."""
    return -(-utterance.num_frames * to_rate // from_rate)


@dataclass(frozen=True)
class _File:
    """An utterance's audio file, which must have the ``expected`` sample rate and length."""

    utterance_id: str
    path: str
    kind: str
    expected: tuple[int, int]

    def read(self, start: int, stop: int) -> torch.Tensor:
        """Read samples ``start`` to ``stop``, silence where the file has none: ``[T]``."""
        rate, frames = self.expected
        first, last = max(start, 0), min(stop, frames)
        if first >= last:
            first, last = 0, 0
        try:
            audio, header = read_with_header(self.path, first, last - first)
        except AudioError as error:
            may_pass = error.reason == "unreadable" and file_of(self.path).exists()
            raise self._unreadable(error.reason, error.detail, may_pass) from error
        if (header.sample_rate, header.num_frames) != self.expected:
            raise self._unreadable(
                "changed",
                f"it has {header.num_frames} frames at {header.sample_rate} Hz, but {frames} "
                f"frames at {rate} Hz belong to its codes: it is not the audio that was encoded. "
                "Run snac-manifest, snac-upsample if there are targets, and snac-cache: they do "
                "again what was replaced.",
            )
        if last == 0:
            return torch.zeros(stop - start)
        return F.pad(audio, (first - start, stop - last))

    def _unreadable(self, reason: str, detail: str, may_pass: bool = False) -> UnreadableAudio:
        message = f"{self.kind}{self.utterance_id!r} ({self.path}): {detail}"
        reject = Reject(self.utterance_id, self.path, reason, detail)
        return UnreadableAudio(message, reject, may_pass=may_pass)
