"""What each metric is called, which way is better, and what it says of.

Fidelity is how close an output is to the recording. Realism is how much an output sounds like
speech, whatever was recorded. A codec can gain in one and lose in the other, so reports keep them
apart. A new metric is an entry here: tables, verdict and glossary follow.
"""

import re
from typing import NamedTuple

from snac_eval.statistics.bootstrap import FEWEST_FOR_VERDICT
from snac_eval.statistics.summary import Mean

TOO_FEW = "too few"
FIDELITY, REALISM, OTHER = "fidelity", "realism", "other"
GROUPS = {
    FIDELITY: "How close is the output to the recording?",
    REALISM: "Does the output sound like speech? It need not have the recording's own sounds.",
}


class Kind(NamedTuple):
    """A metric's title, which way is better, what it says of, and what it is.

    ``better`` is -1 if lower is better, 1 if higher; 0 where neither is, as of ratios, which are
    best at 1, and of SI-SDR, which says little of codecs that do not keep phase.
    """

    title: str
    better: int
    group: str
    what: str


def _dnsmos(of: str) -> str:
    return (
        f"A neural network's guess of how people would rate {of}, from 1 to 5. It hears the output "
        "alone, at 16 kHz. DNSMOS P.835, Reddy et al. 2022."
    )


KINDS = {
    "loss": Kind(
        "loss",
        -1,
        FIDELITY,
        "L1 plus STFT: the loss of phases 10 to 12.",
    ),
    "l1": Kind(
        "L1",
        -1,
        FIDELITY,
        "Mean absolute difference of the waveforms. It counts phase, which listeners hardly hear.",
    ),
    "stft": Kind(
        "STFT",
        -1,
        FIDELITY,
        "Difference of short-time spectra: spectral convergence plus the difference of log "
        "magnitudes, averaged over several window sizes.",
    ),
    "lsd": Kind(
        "LSD",
        -1,
        FIDELITY,
        "Log-spectral distance: the root mean square difference of log10 power over frequency, "
        "averaged over time, as in AP-BWE (Lu et al. 2024). Power is floored at 1e-8, so what is "
        "silent counts too.",
    ),
    "lsd_below": Kind(
        "LSD (lower half)",
        -1,
        FIDELITY,
        "Log-spectral distance over the frequencies that 24 kHz audio has: below 12 kHz.",
    ),
    "lsd_above": Kind(
        "LSD (upper half)",
        -1,
        FIDELITY,
        "Log-spectral distance over the frequencies that only 48 kHz audio has: from 12 kHz on.",
    ),
    "mel": Kind(
        "mel",
        -1,
        FIDELITY,
        "Mean absolute difference of log10 mel magnitudes in 80 bands.",
    ),
    "si_sdr": Kind(
        "SI-SDR (dB)",
        0,
        OTHER,
        "Scale-invariant signal-to-distortion ratio. It is near zero for codecs that do not keep "
        "phase, SNAC among them, however they sound: do not judge by it.",
    ),
    "level_db": Kind(
        "level (dB)", 0, OTHER, "Level of the output over that of the recording; 0 is best."
    ),
    "clipping": Kind("clipping", -1, OTHER, "Share of samples at full scale."),
    "length_difference": Kind(
        "length", 0, OTHER, "Samples that the output has more than the recording; 0 is best."
    ),
    "pesq": Kind(
        "PESQ",
        1,
        FIDELITY,
        "Perceptual evaluation of speech quality against the recording, from 1 to 4.64, at 16 kHz. "
        "ITU-T P.862.2.",
    ),
    "stoi": Kind(
        "STOI",
        1,
        FIDELITY,
        "Short-time objective intelligibility against the recording, up to 1, at 16 kHz. Taal et "
        "al. 2011.",
    ),
    "visqol_speech": Kind(
        "ViSQOL speech",
        1,
        FIDELITY,
        "Similarity to the recording as listeners would rate it, from 1 to 5, at 16 kHz. Chinen et "
        "al. 2020.",
    ),
    "visqol_audio": Kind(
        "ViSQOL audio",
        1,
        FIDELITY,
        "Similarity to the recording as listeners would rate it, from 1 to 4.73, at 48 kHz. Chinen "
        "et al. 2020.",
    ),
    "sharpness_error": Kind(
        "sharpness error",
        -1,
        REALISM,
        "How far sharpness is from 1: the mean over bands of its absolute natural logarithm. 0 is "
        "best, 0.1 is about a tenth too smooth or too sharp.",
    ),
    "sharpness": Kind(
        "sharpness",
        0,
        REALISM,
        "Standard deviation over time of the log spectrum in bands, output over recording, as a "
        "geometric mean: 1 is right, below 1 is over-smoothed, and dull. Silence is left out, and "
        "levels 50 dB under the recording's mean count as that. Global variance: Toda and Tokuda "
        "2007.",
    ),
    "frechet_mel": Kind(
        "Fréchet mel distance",
        -1,
        REALISM,
        "How far the outputs as a set are from the recordings as a set: the Fréchet distance of "
        "their log-mel frames with deltas, taken as normally distributed, in squared bel. An "
        "utterance's value is its jackknife pseudo-value; only the mean has a meaning.",
    ),
    "two_sample": Kind(
        "two-sample accuracy",
        -1,
        REALISM,
        "How often a small classifier, trained anew on half of the utterances, tells output from "
        "recording in a third of a second of the other half: 0.5 is chance, they cannot be told "
        "apart; 1 is always. Lopez-Paz and Oquab 2017.",
    ),
    "dnsmos": Kind("DNSMOS", 1, REALISM, _dnsmos("the whole")),
    "dnsmos_speech": Kind("DNSMOS speech", 1, REALISM, _dnsmos("the speech")),
    "dnsmos_background": Kind("DNSMOS background", 1, REALISM, _dnsmos("the background")),
    "plcmos": Kind(
        "PLCMOS",
        1,
        REALISM,
        "A neural network's guess of how people would rate the speech, from 1 to 5, made for gaps "
        "that were filled in. It hears the output alone, at 16 kHz. PLCMOS v2, Diener et al. 2023.",
    ),
}


def kind(metric: str) -> Kind:
    """Return what a metric is; those of single window sizes and bands go by these."""
    size = re.fullmatch(r"stft_(\d+)", metric)
    if size:
        return Kind(f"STFT {size[1]}", -1, OTHER, f"STFT with windows of {size[1]} samples alone.")
    band = re.fullmatch(r"sharpness_(\d+)_(\d+)", metric)
    if band:
        low, high = (f"{int(edge) / 1000:g}" for edge in band.groups())
        return Kind(f"sharpness {low} to {high} kHz", 0, OTHER, "Sharpness of one band.")
    return KINDS[metric]


def definition(metric: str) -> str:
    """Return the metric whose definition is this one's, too."""
    of_one = re.fullmatch(r"(stft|sharpness)(_\d+)+", metric)
    return of_one[1] if of_one else metric


def verdict(mean: Mean) -> str:
    """Say ``better`` or ``worse`` where the difference's interval excludes 0, else nothing.

    It is ``too few`` where fewer than eight groups were judged: their intervals say little.
    """
    low, high = mean.difference.ci_low, mean.difference.ci_high
    better = kind(mean.key.metric).better
    if not better or not mean.difference.n:
        return ""
    if mean.difference.groups < FEWEST_FOR_VERDICT:
        return TOO_FEW
    if low is None or high is None or low <= 0 <= high:
        return ""
    return "better" if (low > 0) == (better > 0) else "worse"
