"""Differences in words: ``44.7 % lower``, never a sign that could mean either."""

from snac_eval.statistics.catalogue import kind
from snac_eval.statistics.summary import Mean

Percents = tuple[float, float, float]


def change(mean: Mean) -> str:
    """Say by how much a mean differs from what it is compared with; a hyphen if that is unknown.

    Losses and distances differ by percent, scores by what they are counted in.
    """
    if mean.difference.mean is None:
        return "-"
    return _in_words(mean, mean.difference.mean)


def change_interval(mean: Mean) -> str:
    """Say between which differences the true one lies with 95 % confidence."""
    low, high = mean.difference.ci_low, mean.difference.ci_high
    if low is None or high is None:
        return "-"
    near, far = sorted((low, high), key=abs)
    if low * high > 0 and _size(mean, near) != _size(mean, far):
        return f"{_size(mean, near)[0]} to {_in_words(mean, far)}"
    ends = dict.fromkeys((_in_words(mean, low), _in_words(mean, high)))
    return " to ".join(ends)


def percents(mean: Mean) -> Percents | None:
    """Return the difference and its interval's ends in percent, what is better counted up.

    None where there is no interval, or nothing to take percents of.
    """
    difference = mean.difference
    ends = (difference.ci_low, difference.mean, difference.ci_high)
    found = [None if end is None else _per_cent(mean, end) for end in ends]
    if any(value is None for value in found):
        return None
    sign = kind(mean.key.metric).better or 1
    low, middle, high = sorted(sign * value for value in found if value is not None)
    return low, middle, high


def is_unchanged(mean: Mean) -> bool:
    """Say whether every utterance has the same value as what it is compared with."""
    difference = mean.difference
    return difference.mean == 0 and not difference.ci_low and not difference.ci_high


def _per_cent(mean: Mean, difference: float) -> float | None:
    """Return a difference in percent of what the mean is compared with."""
    if mean.base_mean is None or mean.base_mean == 0:
        return None
    return 100 * difference / abs(mean.base_mean)


def _in_words(mean: Mean, difference: float) -> str:
    if difference == 0:
        return "the same"
    return f"{''.join(_size(mean, difference))} {'higher' if difference > 0 else 'lower'}"


def _size(mean: Mean, difference: float) -> tuple[str, str]:
    """Return the size of a difference, and its unit."""
    percent = _per_cent(mean, difference)
    if kind(mean.key.metric).better < 0 and percent is not None:
        return _digits(percent, 1), " %"
    return _digits(difference, 3), ""


def _digits(value: float, digits: int) -> str:
    rounded = f"{abs(value):.{digits}f}"
    return rounded if float(rounded) else f"<{10**-digits:.{digits}f}"
