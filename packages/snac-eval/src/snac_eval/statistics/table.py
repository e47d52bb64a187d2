"""The main figures as plain text, for a terminal."""

from collections.abc import Sequence

from snac_common.text_table import aligned
from snac_eval.models.names import REFERENCE, kilohertz
from snac_eval.statistics.bootstrap import Estimate
from snac_eval.statistics.catalogue import FIDELITY, GROUPS, REALISM, kind, verdict
from snac_eval.statistics.summary import Mean

HEADER = ("rate", "model", "mean", "95 %", "difference", "95 %", "")
NUMBERS = (False, False, True, True, True, True, False)
SHOWN = {
    FIDELITY: ("loss", "lsd", "lsd_above", "mel", "pesq", "stoi", "visqol_speech"),
    REALISM: ("sharpness_error", "sharpness", "frechet_mel", "two_sample", "dnsmos", "plcmos"),
}


def text_table(means: Sequence[Mean]) -> str:
    """Return a table for each of the main metrics, one line a model and rate, by group."""
    blocks = []
    for group, metrics in SHOWN.items():
        tables = [_table(metric, means) for metric in metrics]
        found = [table for table in tables if table]
        if found:
            blocks += [f"{group.upper()}: {GROUPS[group]}", *found]
    return "\n\n".join(blocks)


def _table(metric: str, means: Sequence[Mean]) -> str:
    found = [mean for mean in means if mean.key.metric == metric]
    lines = map(_line, sorted(found, key=lambda mean: mean.key.rate))
    return f"{kind(metric).title}\n{aligned([HEADER, *lines], NUMBERS)}" if found else ""


def _line(mean: Mean) -> tuple[str, ...]:
    own = mean.key.model in (mean.base, REFERENCE)
    return (
        kilohertz(mean.key.rate),
        mean.key.model,
        number(mean.value.mean),
        interval(mean.value),
        "" if own else number(mean.difference.mean, signed=True),
        "" if own else interval(mean.difference, signed=True),
        "" if own else verdict(mean),
    )


def number(value: float | None, *, signed: bool = False) -> str:
    """Return a metric's value to four decimals, a hyphen where it is missing."""
    return "-" if value is None else f"{value:+.4f}" if signed else f"{value:.4f}"


def interval(estimate: Estimate, *, signed: bool = False) -> str:
    """Return the ends of an interval, a hyphen where it is missing."""
    ends = (number(end, signed=signed) for end in (estimate.ci_low, estimate.ci_high))
    return "-" if estimate.ci_low is None else " to ".join(ends)
