"""Up to which frequency a recording really holds energy, whatever its sample rate promises."""

import torch
import torch.nn.functional as F

BAND_HZ = 250.0
BELOW_STRONGEST_DB = 50.0
# Quantisation to 16 bits with triangular dither: a quarter of a squared step, spread evenly
# (Lipshitz, Wannamaker and Vanderkooy 1992), and 6 dB on top for its scatter.
DITHER_FLOOR_DB = -96.3 + 6.0
FRAMES_PER_SECOND = 50
BLOCK_SECONDS = 60


def measure_bandwidth(audio: torch.Tensor, sample_rate: int) -> float:
    """Return the upper edge in Hz of the highest 250 Hz band that holds energy, 0 for silence.

    A band holds energy if its long-term average power density lies less than 50 dB below that of
    the strongest band, and above what 16-bit dither leaves. Speech from a full-band microphone
    keeps within 50 dB up to 15 to 20 kHz; what a codec's or a resampler's low-pass leaves
    is weaker.

    Args:
        audio: ``[T]``, full scale 1.
    """
    density = _power_density(audio, sample_rate)
    bin_hz = sample_rate / 2 / (len(density) - 1)
    band_of_bin = (torch.arange(len(density)) * bin_hz / BAND_HZ).long()
    sums = torch.zeros(int(band_of_bin[-1]) + 1).index_add(0, band_of_bin, density)
    levels = 10 * torch.log10(sums / band_of_bin.bincount())
    floor = max(float(levels.max()) - BELOW_STRONGEST_DB, DITHER_FLOOR_DB)
    holding = (levels > floor).nonzero()
    if not len(holding):
        return 0.0
    return min((int(holding[-1]) + 1) * BAND_HZ, sample_rate / 2)


def _power_density(audio: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """Return Welch's average, ``[bins]``: white noise of variance v is v in every bin."""
    size = 1 << (sample_rate // FRAMES_PER_SECOND).bit_length()
    window = torch.hann_window(size)
    total, frames = torch.zeros(size // 2 + 1), 0
    for block in audio.split(BLOCK_SECONDS * sample_rate):
        padded = F.pad(block, (0, max(0, size - len(block))))
        spectra = torch.fft.rfft(padded.unfold(0, size, size // 2) * window)
        total += spectra.abs().square().sum(dim=0)
        frames += len(spectra)
    return total / (frames * window.square().sum())
