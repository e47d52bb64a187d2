"""The windowed sinc that resamples: its shape and, by arithmetic, its size; free of torch.

Between 24 and 48 kHz it is flat to 0.01 dB up to 11 kHz and 0.6 dB down at 11.5 kHz; from 12.4 kHz
on, images and what folds over are more than 80 dB down. A change of these numbers changes the codes
of all audio that is not at the codec's own rate, and every target that is resampled: raise
``snac_cache.schema.SCHEMA_VERSION`` with it.

At rates whose ratio in lowest terms is ``native : wanted``, torchaudio makes ``wanted`` filters of
``2 * width + native`` taps, one for each phase, and moves on by ``native`` samples. Two rates with
no large common divisor therefore ask for a kernel of gigabytes.
"""

import math

ZERO_CROSSINGS = 64  # to each side
ROLLOFF = 0.98  # the cut-off (6 dB down), as a share of half the lower rate
KAISER_BETA = 9.0  # of the window: side lobes are about 90 dB down


def lowest_terms(from_rate: int, to_rate: int) -> tuple[int, int]:
    """Return samples at either rate in the shortest time that is whole samples at both."""
    common = math.gcd(from_rate, to_rate)
    return from_rate // common, to_rate // common


def kernel_width(from_rate: int, to_rate: int) -> int:
    """Return the samples at ``from_rate`` that the kernel reaches to each side."""
    native, wanted = lowest_terms(from_rate, to_rate)
    return math.ceil(ZERO_CROSSINGS * native / (min(native, wanted) * ROLLOFF))


def kernel_bytes(from_rate: int, to_rate: int) -> int:
    """Return the size of the kernel while it is made, in float64."""
    native, wanted = lowest_terms(from_rate, to_rate)
    return 8 * wanted * (2 * kernel_width(from_rate, to_rate) + native)


def resample_margin(from_rate: int, to_rate: int) -> int:
    """Samples at ``from_rate`` beside a slice, each side, that its resampled samples depend on."""
    return 0 if from_rate == to_rate else kernel_width(from_rate, to_rate) + 1
