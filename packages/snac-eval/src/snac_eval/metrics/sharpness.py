"""Sharpness: whether an output's spectrum varies over time as much as speech does.

A decoder that is unsure gives the mean of what might be: its spectrum is smooth over time, and it
sounds dull. The deviation of log spectra over time shows this: it is the "global variance" of Toda
and Tokuda, "A speech parameter generation algorithm considering global variance" (2007), here of
every frequency of the short-time spectrum. It is a property of each signal alone, so it does not
ask that the output has the recording's sounds, only that it has sounds as distinct.
"""

import math
from itertools import pairwise

import torch

from snac_eval.metrics.pairs import NoValue, Pair
from snac_eval.metrics.short_time import (
    ACTIVE_DB,
    FLOOR_DB,
    active_frames,
    floor_of,
    power_spectrogram,
    window_size,
)

EDGES_HZ = (0, 1000, 2000, 4000, 8000, 12000, 16000, 24000)
LEAST_ABOVE_FLOOR = 0.1  # of a band's values in the recording; with fewer the floor would decide
FEWEST_FRAMES = 8
LEAST_RATIO = 0.1  # of a band that is hardly there, so that it does not outweigh all others

Value = float | str


def bands(rate: int) -> list[tuple[int, int]]:
    """Return the ends in Hz of the bands at a rate, up to half of it."""
    return list(pairwise([*(edge for edge in EDGES_HZ if 2 * edge < rate), rate // 2]))


def band_name(low: int, high: int) -> str:
    """Return the metric of one band: ``sharpness_4000_8000``."""
    return f"sharpness_{low}_{high}"


def sharpness_names(rate: int) -> tuple[str, ...]:
    """Return the metrics at a rate: the two over all bands, then that of every band."""
    return ("sharpness_error", "sharpness", *(band_name(*band) for band in bands(rate)))


def sharpness(pair: Pair) -> dict[str, Value]:
    """Deviation over time of the output's log spectrum over that of the recording.

    In each band it is the root of the mean variance of its frequencies' levels in dB, output over
    reference: 1 is right, below 1 is over-smoothed. ``sharpness`` is the geometric mean of the
    bands; ``sharpness_error`` is the mean over bands of the ratio's absolute natural logarithm, so
    that a band which is too sharp does not make up for one that is too smooth: 0 is best.

    Silence decides nothing: frames more than 40 dB under the recording's loudest are left out of
    both, as in STOI (Taal et al. 2011), and levels more than 50 dB under the recording's mean over
    the rest count as that. What lies lower is masked by what is louder, and its deviation, of
    logarithms of nearly nothing, would outweigh all else. Speech has a deviation of 12 to 15 dB in
    every band in which it has sound. A band in which fewer than a tenth of the recording's values
    lie above the floor, as above 8 kHz in a narrow-band recording, has no value.

    Returns:
        Values by name; of a band that has none, the reason.

    Raises:
        NoValue: if no band has a value, or a signal is silent or too short.
    """
    pair.require_sound()
    output, reference = (
        power_spectrogram(one, window_size(pair.rate)) for one in (pair.output, pair.reference)
    )
    active = active_frames(reference)
    if int(active.sum()) < FEWEST_FRAMES:
        raise NoValue(f"fewer than {FEWEST_FRAMES} frames within {ACTIVE_DB} dB of the loudest")
    output, reference = output[:, active], reference[:, active]
    floor = floor_of(reference)
    ratios = {
        band_name(*band): _ratio(output[bins], reference[bins], floor)
        for band in bands(pair.rate)
        for bins in [_bins(band, pair.rate, len(reference))]
    }
    logs = [math.log(ratio) for ratio in ratios.values() if not isinstance(ratio, str)]
    if not logs:
        raise NoValue(f"no band of the reference is above the floor of -{FLOOR_DB} dB")
    error, mean = (sum(values) / len(logs) for values in (map(abs, logs), logs))
    return {"sharpness_error": error, "sharpness": math.exp(mean), **ratios}


def _bins(band: tuple[int, int], rate: int, count: int) -> slice:
    """Return the frequencies of a band, of ``count`` from 0 to half of the rate."""
    step = rate / 2 / (count - 1)
    low, high = (math.ceil(edge / step) for edge in band)
    return slice(low, high if high < count - 1 else count)


def _ratio(output: torch.Tensor, reference: torch.Tensor, floor: torch.Tensor) -> Value:
    if (reference > floor).double().mean() < LEAST_ABOVE_FLOOR:
        return f"the reference is below the floor of -{FLOOR_DB} dB there"
    wanted, found = (_deviation(one, floor) for one in (reference, output))
    if not wanted:
        return "the reference does not vary there"
    return max(found / wanted, LEAST_RATIO)


def _deviation(power: torch.Tensor, floor: torch.Tensor) -> float:
    """Root of the mean variance over time of ``[frequencies, frames]`` in dB."""
    levels = 10 * power.clamp_min(floor).double().log10()
    return levels.var(dim=1, correction=0).mean().sqrt().item()
