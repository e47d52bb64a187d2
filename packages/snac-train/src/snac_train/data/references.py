"""What an output is compared with: audio at one rate, read only where a segment is."""

import math
from typing import Protocol

import pyarrow as pa
import torch
import torch.nn.functional as F

from snac_cache.schema import TARGET_RATE
from snac_cache.store.code_store import CachedUtterance
from snac_common.errors import Failure
from snac_model.audio import read_with_header, resample
from snac_model.audio_header import AudioError
from snac_model.sinc_kernel import resample_margin


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
            Failure: naming the utterance whose audio cannot be read, or is not what was encoded.
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
        name = f"the target of {utterance.utterance_id!r}"
        return _read(name, str(utterance.target_path), expected, start, stop)


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
    audio = _read(
        repr(utterance.utterance_id),
        utterance.audio_path,
        (utterance.source_sample_rate, utterance.num_frames),
        first * native_step,
        last * native_step,
    )
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


def _read(name: str, path: str, expected: tuple[int, int], start: int, stop: int) -> torch.Tensor:
    """Read a slice of a file that must have the ``expected`` sample rate and length."""
    rate, frames = expected
    first, last = max(start, 0), min(stop, frames)
    if first >= last:
        first, last = 0, 0
    try:
        audio, header = read_with_header(path, first, last - first)
    except AudioError as error:
        raise Failure(f"{name} ({path}): {error.detail}") from error
    if (header.sample_rate, header.num_frames) != expected:
        raise Failure(
            f"{name} ({path}) has {header.num_frames} frames at {header.sample_rate} Hz, but "
            f"{frames} frames at {rate} Hz belong to its codes: it is not the audio that was "
            "encoded. Run snac-manifest, snac-upsample if there are targets, and snac-cache: they "
            "do again what was replaced."
        )
    if last == 0:
        return torch.zeros(stop - start)
    return F.pad(audio, (first - start, stop - last))
