"""48 kHz target audio, read only where a segment is."""

import torch
import torch.nn.functional as F

from snac_cache.store import CachedUtterance
from snac_model.audio import read_with_header, resample_margin
from snac_model.audio_header import AudioError
from snac_model.errors import Failure

TARGET_RATE = 48_000


def expected_frames(utterance: CachedUtterance) -> int:
    """Length that an utterance's target has if it belongs to its source, by ceiling."""
    return -(-utterance.num_frames * TARGET_RATE // utterance.source_sample_rate)


def margin_for(rate: int) -> int:
    """Target samples beside a slice, each side, that its resampling to ``rate`` depends on.

    Rounded up to whole steps of the resampler, so that a slice keeps the whole file's phase.
    """
    step = TARGET_RATE // rate
    return -(-resample_margin(TARGET_RATE, rate) // step) * step


def read_target(utterance: CachedUtterance, start: int, stop: int) -> torch.Tensor:
    """Read target samples ``start`` to ``stop``, silence where they are not in the file: ``[T]``.

    Raises:
        Failure: naming the utterance whose target cannot be read, is not at 48 kHz, or is not as
            long as its source.
    """
    frames = expected_frames(utterance)
    first, last = max(start, 0), min(stop, frames)
    try:
        audio, header = read_with_header(str(utterance.target_path), first, last - first)
    except AudioError as error:
        raise Failure(f"{_name(utterance)}: {error.detail}") from error
    if (header.sample_rate, header.num_frames) != (TARGET_RATE, frames):
        raise Failure(
            f"{_name(utterance)} has {header.num_frames} frames at {header.sample_rate} Hz, but its"
            f" codes are of {frames} frames at {TARGET_RATE} Hz: it is not the audio that was "
            "encoded. Run snac-manifest and snac-cache again."
        )
    if len(audio) != last - first:
        raise Failure(f"{_name(utterance)} is damaged: it cannot be read up to frame {last}")
    return F.pad(audio, (first - start, stop - last))


def _name(utterance: CachedUtterance) -> str:
    return f"the target of {utterance.utterance_id!r} ({utterance.target_path})"
