"""Differences of two runs on the same utterances, with their intervals."""

from typing import NamedTuple

from snac_eval.comparison.evaluations import Evaluated


class Difference(NamedTuple):
    """Mean over utterances of a run's value less the first's, and the ends of its interval."""

    mean: float
    low: float | None
    high: float | None


def paired_differences(first: Evaluated, other: Evaluated) -> dict[str, Difference]:
    """Return the differences by metric; none where utterances were not drawn alone."""
    from snac_eval.measuring.measure import Row
    from snac_eval.statistics.summary import Summary

    if not (first.by_utterance and other.by_utterance):
        return {}
    mine, theirs = first.values(), other.values()
    by_utterance: dict[str, list[Row]] = {}
    for metric, utterance in mine.keys() & theirs.keys():
        rows = by_utterance.setdefault(utterance, [])
        for name, values in (("first", mine), ("other", theirs)):
            rows.append(Row(utterance, name, 0, metric, values[metric, utterance], None))
    summary = Summary("first", first.conditions["seed of the evaluation"])
    for utterance in sorted(by_utterance):
        summary.add(sorted(by_utterance[utterance], key=lambda row: (row.model, row.metric)))
    return {
        mean.key.metric: Difference(
            mean.difference.mean, mean.difference.ci_low, mean.difference.ci_high
        )
        for mean in summary.means()
        if mean.key.model == "other" and mean.difference.mean is not None
    }
