"""The size of the windowed sinc that resamples, by arithmetic; free of torch.

At rates whose ratio in lowest terms is ``native : wanted``, torchaudio makes ``wanted`` filters of
``2 * width + native`` taps, one for each phase, and moves on by ``native`` samples. Two rates with
no large common divisor therefore ask for a kernel of gigabytes.
"""

import math

ZERO_CROSSINGS = 6  # torchaudio's lowpass_filter_width: zero crossings to each side
ROLLOFF = 0.99  # torchaudio's: the cut-off, as a share of the lower rate's half


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
