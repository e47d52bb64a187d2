"""How late and how loud a target is against its source, in the band that both hold.

Where the waveforms match, their cross-correlation gives the lag to the sample. A vocoder such as
Sidon's makes speech anew with phases of its own: waveforms no longer match though every sound is
in its place. There the envelopes of a few bands are compared instead, as ITU-T P.862 (PESQ) does
for its first alignment, and the lag is known to 5 ms. The limits below are measured: speech
made anew from 80 mel bands by Griffin-Lim had envelopes alike by 0.75 to 0.95 and lags of at most
2.7 ms; other utterances of the same speakers stayed below 0.4, single syllables below 0.8.
"""

import math
from dataclasses import dataclass

import torch

from snac_cache.schema import TARGET_RATE

LOWEST_HZ, HIGHEST_HZ = 100.0, 8000.0  # below: hum and Sidon's high-pass; above: little speech
SHARE_OF_NYQUIST = 0.9  # resampling filters and codecs roll off above
SEARCH_SECONDS = 1.0
SAME_WAVEFORM = 0.9  # speech made anew reaches 0.83 at a lag that is part of a pitch period off
SAME_ENVELOPES = 0.6
WAVEFORM_TOLERANCE, ENVELOPE_TOLERANCE = 1, 320  # samples at 48 kHz; 264 is the most seen
ENVELOPE_BANDS = 8
ENVELOPE_STEP = 16  # samples at 48 kHz from one envelope value to the next


@dataclass(frozen=True)
class Alignment:
    """A target against its source.

    Attributes:
        lag: samples at 48 kHz that the target is late.
        gain: amplitude ratio, target to source; negative if the polarity is turned round.
        tolerance: samples that the lag may be off, by the way it was found.
    """

    lag: int
    gain: float
    tolerance: int

    @property
    def gain_db(self) -> float:
        """Gain in decibels, whatever the polarity."""
        return 20 * math.log10(abs(self.gain))


def common_band(source_rate: int) -> tuple[float, float]:
    """Return the band in Hz that a source of this rate shares with its target."""
    return LOWEST_HZ, SHARE_OF_NYQUIST * min(source_rate / 2, HIGHEST_HZ)


def measure(
    source: torch.Tensor, target: torch.Tensor, band: tuple[float, float]
) -> Alignment | None:
    """Measure a target against its source, both ``[T]`` at 48 kHz.

    Returns:
        None if nothing tells that the two are the same audio: one of them is silent in the band,
        or neither waveforms nor envelopes are alike at any lag up to a second.
    """
    longest = max(len(source), len(target))
    size = 1 << (longest + round(SEARCH_SECONDS * TARGET_RATE)).bit_length()
    bins = slice(*(round(edge * size / TARGET_RATE) for edge in band))
    first, second = torch.fft.rfft(source, size)[bins], torch.fft.rfft(target, size)[bins]
    if min(first.norm(), second.norm()) == 0:
        return None
    gain = float(second.norm() / first.norm())
    lag, similarity = _compare_waveforms(first, second, bins.start, size)
    if abs(similarity) >= SAME_WAVEFORM:
        signed = math.copysign(gain, similarity)
        return Alignment(lag, signed, WAVEFORM_TOLERANCE)
    lag, similarity = _compare_envelopes(
        _envelopes(first, len(source), size), _envelopes(second, len(target), size), size
    )
    if similarity >= SAME_ENVELOPES:
        return Alignment(lag, gain, ENVELOPE_TOLERANCE)
    return None


def _compare_waveforms(
    source: torch.Tensor, target: torch.Tensor, first_bin: int, size: int
) -> tuple[int, float]:
    """Return the lag and the correlation coefficient there, which may be negative."""
    cross = torch.zeros(size // 2 + 1, dtype=source.dtype)
    cross[first_bin : first_bin + len(source)] = source.conj() * target
    lags, correlation = _near(torch.fft.irfft(cross, size), TARGET_RATE)
    peak = int(correlation.abs().argmax())
    # the norms are those of one half of each spectrum, whence the 2
    energy = 2 / size * float(source.norm() * target.norm())
    return int(lags[peak]), float(correlation[peak]) / energy


def _compare_envelopes(source: torch.Tensor, target: torch.Tensor, size: int) -> tuple[int, float]:
    """Return the lag in samples at 48 kHz and the correlation coefficient there."""
    steps = size // ENVELOPE_STEP
    products = torch.fft.rfft(source, steps).conj() * torch.fft.rfft(target, steps)
    correlation = torch.fft.irfft(products.sum(dim=0), steps)
    lags, correlation = _near(correlation, TARGET_RATE // ENVELOPE_STEP)
    peak = int(correlation.argmax())
    energy = float(source.norm() * target.norm())
    return int(lags[peak]) * ENVELOPE_STEP, float(correlation[peak]) / energy if energy else 0.0


def _envelopes(in_band: torch.Tensor, length: int, size: int) -> torch.Tensor:
    """Return envelopes ``[bands, length / 16]`` less their means.

    The bins of one band, taken as a spectrum of their own, are its analytic signal moved down to
    0 Hz and sampled more slowly; the magnitude is the envelope, and its square root keeps loud
    vowels from deciding alone.
    """
    bands = torch.zeros(ENVELOPE_BANDS, size // ENVELOPE_STEP, dtype=in_band.dtype)
    for band, part in zip(bands, in_band.tensor_split(ENVELOPE_BANDS), strict=True):
        band[: len(part)] = part
    envelopes = torch.fft.ifft(bands).abs().sqrt()[:, : -(-length // ENVELOPE_STEP)]
    return envelopes - envelopes.mean(dim=1, keepdim=True)


def _near(correlation: torch.Tensor, rate: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the lags that are searched and the correlation at each."""
    reach = min(round(SEARCH_SECONDS * rate), len(correlation) // 2 - 1)
    lags = torch.arange(-reach, reach + 1)
    return lags, correlation[lags]
