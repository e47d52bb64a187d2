"""Metrics of the short-time spectrum."""

import torch

from snac_eval.metrics.pairs import Pair
from snac_eval.metrics.short_time import mel_bands, power_spectrogram

FFT_SIZE = 2048  # the hop is a quarter of it
POWER_FLOOR = 1e-8
MEL_BANDS = 80
MEL_FLOOR = 1e-5


def log_spectral_distance(pair: Pair) -> dict[str, float]:
    """Log-spectral distance over all frequencies, ``lsd``; lower is better.

    Root mean square over frequency of the difference of log10 power, averaged over frames, as
    in the published code of AP-BWE, ``cal_metrics.py`` (Lu et al., "Towards high-quality and
    efficient speech bandwidth extension with parallel amplitude and phase prediction", 2024): Hann
    windows of 2,048 samples, a hop of 512, power floored at 1e-8. Papers that follow Liu et al.
    (2022) use other windows and another floor; above 12 kHz, where the floor decides, their values
    do not compare with these.
    """
    return {"lsd": _distance(_log_power_difference(pair))}


def split_log_spectral_distance(pair: Pair, split_hz: int) -> dict[str, float]:
    """Log-spectral distance ``lsd``, and that of the frequencies below and from ``split_hz``."""
    difference = _log_power_difference(pair)
    below = sum(bin * pair.rate < split_hz * FFT_SIZE for bin in range(FFT_SIZE // 2 + 1))
    return {
        "lsd": _distance(difference),
        "lsd_below": _distance(difference[:below]),
        "lsd_above": _distance(difference[below:]),
    }


def mel_distance(pair: Pair) -> float:
    """Mean absolute difference of the log10 mel spectra; lower is better.

    The log term of the mel loss of Kumar et al., "High-fidelity audio compression with improved
    RVQGAN" (2023), on one scale: magnitudes floored at 1e-5 in 80 bands, windows as for the
    log-spectral distance.
    """
    output, reference = (
        mel_bands(power_spectrogram(audio, FFT_SIZE).sqrt(), pair.rate, MEL_BANDS)
        for audio in (pair.output, pair.reference)
    )
    output, reference = (bands.clamp_min(MEL_FLOOR).log10() for bands in (output, reference))
    return (output - reference).abs().mean().item()


def _log_power_difference(pair: Pair) -> torch.Tensor:
    output, reference = (
        power_spectrogram(audio, FFT_SIZE).clamp_min(POWER_FLOOR).log10()
        for audio in (pair.output, pair.reference)
    )
    return output - reference


def _distance(difference: torch.Tensor) -> float:
    """Root mean square over frequency, mean over frames, of ``[frequencies, frames]``."""
    return difference.square().mean(0).sqrt().mean().item()
