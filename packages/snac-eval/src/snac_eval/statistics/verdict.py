"""What an evaluation found, in sentences that a person can repeat."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from snac_eval.models.names import kilohertz, resampled_name
from snac_eval.statistics.bootstrap import FEWEST_FOR_VERDICT
from snac_eval.statistics.catalogue import FIDELITY, REALISM, TOO_FEW, kind, verdict
from snac_eval.statistics.changes import change, is_unchanged
from snac_eval.statistics.summary import Mean
from snac_eval.statistics.summary_file import Evaluation

START = "the starting model"


@dataclass(frozen=True)
class Finding:
    """A sentence about one model.

    Attributes:
        model: its name.
        about: what the sentence is about: ``48 kHz``, ``realism``.
        text: the sentence.
        colour: ``better``, ``worse``, ``mixed``, or nothing.
    """

    model: str
    about: str
    text: str
    colour: str


def findings(evaluation: Evaluation) -> list[Finding]:
    """Say of each model, at each rate it has, how it does in fidelity; then of its realism."""
    return [
        finding for model in evaluation.models[1:] for finding in _of_model(evaluation, model.name)
    ]


def in_lines(found: Sequence[Finding]) -> list[str]:
    """Return findings as lines of text, with the model's name where there are several."""
    several = len({finding.model for finding in found}) > 1
    return [
        f"{f'{finding.model}, ' if several else ''}{finding.about}: {finding.text}"
        for finding in found
    ]


def _of_model(evaluation: Evaluation, model: str) -> Iterator[Finding]:
    realism: list[Finding] = []
    for rate in sorted(evaluation.rates, reverse=True):
        own = [mean for mean in evaluation.means if mean.key[:2] == (model, rate)]
        fidelity = list(_judged(own, FIDELITY))
        if fidelity:
            text, colour = _sentence(fidelity)
            yield Finding(model, kilohertz(rate), text + _halves(own, colour), colour)
        judged = list(_judged(own, REALISM))
        if judged:
            text, colour = _sentence(judged)
            realism.append(Finding(model, f"realism at {kilohertz(rate)}", text, colour))
    yield from realism or [Finding(model, "realism", "not measured.", "")]


def _judged(means: Sequence[Mean], group: str) -> Iterator[Mean]:
    """Yield the means of a group that can be better or worse, and have something to be that to."""
    for mean in means:
        one = kind(mean.key.metric)
        if one.group == group and one.better and mean.difference.n:
            yield mean


def _sentence(means: Sequence[Mean]) -> tuple[str, str]:
    """Say how one model does on some metrics, and its colour."""
    against = _against(means[0])
    if all(map(is_unchanged, means)):
        return f"the same as {against}, on every utterance.", ""
    by_verdict: dict[str, list[Mean]] = {}
    for mean in means:
        by_verdict.setdefault(verdict(mean), []).append(mean)
    if TOO_FEW in by_verdict:
        groups = max(mean.difference.groups for mean in means)
        return f"too few to say: {groups} measured, {FEWEST_FOR_VERDICT} are needed.", ""
    better, worse = (by_verdict.get(name, []) for name in ("better", "worse"))
    if not better and not worse:
        return f"no clear difference from {against}.", ""
    if len(means) in (len(better), len(worse)):
        word = "better" if better else "worse"
        every = "every measure" if len(means) > 1 else kind(means[0].key.metric).title
        return f"{word} than {against} on {every}{_headline(means)}.", word
    parts = [_part("better", against, better, len(means)), _part("worse", against, worse, 0)]
    if unclear := by_verdict.get("", []):
        parts.append(f"no clear difference in {_names(unclear)}")
    colour = "mixed" if better and worse else "better" if better else "worse"
    return f"{'; '.join(part for part in parts if part)}{_headline(means)}.", colour


def _part(word: str, against: str, means: Sequence[Mean], of: int) -> str:
    if not means:
        return ""
    share = f"{len(means)} of {of}: " if of else ""
    return f"{word} than {against} on {share}{_names(means)}"


def _names(means: Sequence[Mean]) -> str:
    names = [kind(mean.key.metric).title for mean in means]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _headline(means: Sequence[Mean]) -> str:
    """Say by how much the loss, or else the first metric, differs."""
    mean = next((mean for mean in means if mean.key.metric == "loss"), means[0])
    return f". The mean {kind(mean.key.metric).title} is {change(mean)}"


def _halves(means: Sequence[Mean], colour: str) -> str:
    """Say whether a gain lies in the band that both rates have, or above it."""
    by_metric = {mean.key.metric: mean for mean in means}
    below, above = (by_metric.get(f"lsd_{half}") for half in ("below", "above"))
    if not colour or below is None or above is None or None in (below.base_mean, above.base_mean):
        return ""
    limit = f"{below.key.rate / 4000:g} kHz"
    return f" Log-spectral distance is {change(below)} below {limit} and {change(above)} above it."


def _against(mean: Mean) -> str:
    return "resampling" if mean.base.endswith(resampled_name("")) else START
