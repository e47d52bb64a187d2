"""Metrics of the waveform itself."""

import math

import torch

from snac_eval.metrics.pairs import NoValue, Pair, rms

FULL_SCALE = 32767 / 32768  # the largest sample of 16-bit audio
ROUNDING = 1e-12  # share of the power that float32 samples cannot tell from nothing


def si_sdr(pair: Pair) -> float:
    """Scale-invariant signal-to-distortion ratio in dB; higher is better.

    After Le Roux et al., "SDR - half-baked or well done?" (2019): the reference, scaled to fit the
    output best, against what is left of the output. Codecs that do not keep the phase, SNAC among
    them, score near zero however they sound.

    Raises:
        NoValue: if a signal is silent, or if nothing is left.
    """
    pair.require_sound()
    output, reference = pair.output.double(), pair.reference.double()
    target = reference * (torch.dot(output, reference) / torch.dot(reference, reference))
    signal, noise = target.square().sum().item(), (output - target).square().sum().item()
    if noise <= ROUNDING * signal:
        raise NoValue("the output is the reference, up to a gain")
    if signal <= ROUNDING * noise:
        raise NoValue("the output has nothing of the reference")
    return 10 * math.log10(signal / noise)


def level_difference(pair: Pair) -> float:
    """Level of the output over that of the reference in dB, both root mean squares; 0 is best.

    Raises:
        NoValue: if a signal is silent.
    """
    pair.require_sound()
    return 20 * math.log10(rms(pair.output) / rms(pair.reference))


def clipping(pair: Pair) -> float:
    """Share of the output's samples that are full scale or more; lower is better."""
    return (pair.output.abs() >= FULL_SCALE).double().mean().item()


def length_difference(pair: Pair) -> float:
    """Samples that the output has more than the reference; 0 is best."""
    return float(pair.length_difference)
