"""A target put where its source lies, made as loud, and proved to be both."""

import torch
import torch.nn.functional as F

from snac_cache.schema import TARGET_RATE
from snac_cache.targets.alignment import Alignment, common_band, measure
from snac_model.audio import resample
from snac_model.audio_header import AudioError

GAIN_TOLERANCE_DB = 0.5
MISALIGNED = "misaligned_target"


def target_length(num_frames: int, sample_rate: int) -> int:
    """Return the samples at 48 kHz that ``num_frames`` at ``sample_rate`` are."""
    return -(-num_frames * TARGET_RATE // sample_rate)


def correct_target(
    source: torch.Tensor, sample_rate: int, made: torch.Tensor, max_lag: int
) -> tuple[torch.Tensor, Alignment, int]:
    """Put what an engine made of a source where the source lies, and make it as loud.

    Args:
        source: ``[T]`` at ``sample_rate``.
        made: ``[T']`` at 48 kHz.
        max_lag: samples at 48 kHz that are corrected.

    Returns:
        The target ``[ceil(T * 48000 / rate)]``, its alignment before the correction, and how many
        samples lay beyond full scale. Those are cut there, as a recorder would: turning the whole
        utterance down would make its gain wrong, and no decoder that ends in tanh says more.

    Raises:
        AudioError: ``misaligned_target``.
    """
    reference = resample(source, sample_rate, TARGET_RATE)
    band = common_band(sample_rate)
    found = _measure(reference, made, band)
    if abs(found.lag) > max_lag:
        raise AudioError(MISALIGNED, f"the target is {found.lag} samples late, limit {max_lag}")
    moved = shift(made, found.lag, len(reference)) / found.gain
    target, clipped = clip(moved)
    left = _measure(reference, target, band)
    if abs(left.lag) > found.tolerance or abs(left.gain_db) > GAIN_TOLERANCE_DB or left.gain < 0:
        detail = (
            f"corrected, it is still {left.lag} samples late and {left.gain_db:.2f} dB too loud"
        )
        raise AudioError(MISALIGNED, detail)
    return target, found, clipped


def clip(audio: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Cut what lies beyond full scale, and count those samples."""
    clipped = audio.clamp(-1, 1)
    return clipped, int((clipped != audio).sum())


def shift(audio: torch.Tensor, lag: int, length: int) -> torch.Tensor:
    """Return ``[length]``: ``[T]`` moved ``lag`` samples earlier, with silence where it ends."""
    early = F.pad(audio, (-lag, 0))
    return F.pad(early, (0, length - len(early)))


def _measure(reference: torch.Tensor, target: torch.Tensor, band: tuple[float, float]) -> Alignment:
    found = measure(reference, target, band)
    if found is None:
        detail = "nothing tells that target and source are the same audio (or one is silent)"
        raise AudioError(MISALIGNED, detail)
    return found
