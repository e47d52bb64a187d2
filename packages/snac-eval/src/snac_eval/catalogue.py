"""What each metric is called, and which way is better."""

import re
from typing import NamedTuple

from snac_eval.bootstrap import FEWEST_FOR_VERDICT
from snac_eval.summary import Mean

TOO_FEW = "too few"


class Kind(NamedTuple):
    """A metric's title; ``better`` is -1 if lower is better, 1 if higher.

    It is 0 where neither is: SI-SDR among them, which says little of codecs that do not keep phase.
    """

    title: str
    better: int


KINDS = {
    "loss": Kind("loss", -1),
    "l1": Kind("L1", -1),
    "stft": Kind("STFT", -1),
    "lsd": Kind("LSD", -1),
    "lsd_below": Kind("LSD, lower half", -1),
    "lsd_above": Kind("LSD, upper half", -1),
    "mel": Kind("mel", -1),
    "si_sdr": Kind("SI-SDR (dB)", 0),
    "level_db": Kind("level (dB)", 0),
    "clipping": Kind("clipping", -1),
    "length_difference": Kind("length", 0),
    "pesq": Kind("PESQ", 1),
    "stoi": Kind("STOI", 1),
    "visqol_speech": Kind("ViSQOL speech", 1),
    "visqol_audio": Kind("ViSQOL audio", 1),
    "dnsmos": Kind("DNSMOS", 1),
    "dnsmos_speech": Kind("DNSMOS speech", 1),
    "dnsmos_background": Kind("DNSMOS background", 1),
}


def kind(metric: str) -> Kind:
    """Return what a metric is; the STFT losses of single window sizes go by their size."""
    size = re.fullmatch(r"stft_(\d+)", metric)
    return Kind(f"STFT {size[1]}", -1) if size else KINDS[metric]


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
