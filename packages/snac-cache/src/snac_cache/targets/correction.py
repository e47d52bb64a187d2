"""A target put where its source lies, made as loud, and proved to be both."""

import torch
import torch.nn.functional as F

from snac_cache.schema import TARGET_RATE
from snac_cache.targets.alignment import Alignment, common_band, measure
from snac_model.audio.header import AudioError
from snac_model.audio.reading import resample

GAIN_TOLERANCE_DB = 0.5
MISALIGNED, WRONG_GAIN, WRONG_LENGTH = "misaligned_target", "wrong_gain", "wrong_length"


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
        raise AudioError(MISALIGNED, f"the target is {in_words(found.lag)}, limit {max_lag}")
    moved = shift(made, found.lag, len(reference)) / found.gain
    target, clipped = clip(moved)
    left = _measure(reference, target, band)
    if abs(left.lag) > found.tolerance or abs(left.gain_db) > GAIN_TOLERANCE_DB or left.gain < 0:
        detail = f"corrected, it is still {in_words(left.lag)} and {loudness_in_words(left)}"
        raise AudioError(MISALIGNED, detail)
    return target, found, clipped


def prove_target(
    source: torch.Tensor, sample_rate: int, given: torch.Tensor, most_samples: int
) -> tuple[torch.Tensor, Alignment]:
    """Prove that a target lies where its source lies, and is as loud; cut or pad its end.

    Args:
        source: ``[T]`` at ``sample_rate``.
        given: ``[T']`` at 48 kHz.
        most_samples: at 48 kHz, that it may be too long or too short.

    Returns:
        The target ``[ceil(T * 48000 / rate)]``, and its alignment.

    Raises:
        AudioError: ``wrong_length``, ``misaligned_target`` or ``wrong_gain``.
    """
    reference = resample(source, sample_rate, TARGET_RATE)
    surplus = len(given) - len(reference)
    if abs(surplus) > most_samples:
        how = "long" if surplus > 0 else "short"
        raise AudioError(WRONG_LENGTH, f"it is {abs(surplus)} samples too {how}")
    found = _measure(reference, given, common_band(sample_rate))
    if abs(found.lag) > found.tolerance:
        raise AudioError(MISALIGNED, f"it is {in_words(found.lag)}")
    if found.gain < 0 or abs(found.gain_db) > GAIN_TOLERANCE_DB:
        raise AudioError(WRONG_GAIN, f"it is {loudness_in_words(found)}")
    return shift(given, 0, len(reference)), found


def in_words(lag: int) -> str:
    """Say how late a target is, in samples at 48 kHz."""
    return f"{abs(lag)} samples {'early' if lag < 0 else 'late'}"


def loudness_in_words(found: Alignment) -> str:
    """Say how loud a target is against its source, and whether its polarity is inverted."""
    how = "quiet" if found.gain_db < 0 else "loud"
    inverted = ", and upside down (its polarity is inverted)" if found.gain < 0 else ""
    return f"{abs(found.gain_db):.2f} dB too {how}{inverted}"


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
