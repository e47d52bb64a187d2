"""The page: a file that fetches nothing, and the samples beside it."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from snac_common.files import write_text
from snac_eval.cards import Card, embedded_cards, linked_cards, trials
from snac_eval.catalogue import kind, verdict
from snac_eval.decoding import resampled_name
from snac_eval.figures import loss_figure, spread_figure
from snac_eval.metrics_database import MetricsDatabase
from snac_eval.names import kilohertz, rate_name
from snac_eval.pages import render
from snac_eval.run_metrics import RunMetrics, read_run_metrics
from snac_eval.samples import REFERENCE, Sample, SampleFolder
from snac_eval.summary import Mean
from snac_eval.summary_file import Evaluation
from snac_eval.table import interval, number, percent

EMBEDDED = 8  # samples in the page itself; two megabytes each
EXTREMES = 5  # best and worst utterances that are named
FILTERS: dict[str, Callable[..., Any]] = {
    "number": number,
    "percent": percent,
    "kilohertz": kilohertz,
    "interval": interval,
    "verdict": verdict,
    "title_of": lambda metric: kind(metric).title,
}
SPREADS = ("loss", "lsd", "mel", "si_sdr", "pesq", "stoi", "visqol_speech", "dnsmos")


@dataclass(frozen=True)
class Table:
    """The means at one rate: a line a metric, each with the means of ``models``."""

    rate: int
    models: list[str]
    lines: dict[str, dict[str, Mean]]


@dataclass(frozen=True)
class Curves:
    """The losses of one run, a drawing for each rate."""

    run: str
    drawings: dict[int, Markup]


@dataclass(frozen=True)
class Extremes:
    """The utterances that a model did best or worst on, with all losses at its highest rate."""

    title: str
    losses: dict[str, dict[str, float | None]]


class Heading(NamedTuple):
    """What stands over a sample's cards."""

    number: int
    utterance_id: str
    why: str
    seconds: float


@dataclass
class Listening:
    """The samples' cards, and what the blind test asks."""

    samples: list[tuple[Heading, list[Card]]] = field(default_factory=list)
    trials: list[dict[str, Any]] = field(default_factory=list)


def write_report(
    evaluation: Evaluation, results: MetricsDatabase, samples: Iterable[Sample], path: Path
) -> None:
    """Write ``report.html`` and ``audio/``; the same evaluation gives the same bytes."""
    script = files("snac_eval").joinpath("templates/report.js").read_text(encoding="utf-8")
    found = tables(evaluation)
    text = render(
        "report.html.jinja",
        FILTERS,
        evaluation=evaluation,
        trained=[subject.name for subject in evaluation.subjects[1:]],
        tables=found,
        extremes=list(extremes(results)),
        spreads={table.rate: list(spreads(results, table)) for table in found},
        curves=list(curves(evaluation)),
        listening=listen(evaluation, samples, path),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    write_text(path, text)


def tables(evaluation: Evaluation) -> list[Table]:
    """Arrange the means by rate, metric and model."""
    found = []
    for rate in evaluation.rates:
        means = [mean for mean in evaluation.means if mean.key.rate == rate]
        lines: dict[str, dict[str, Mean]] = {}
        for mean in means:
            lines.setdefault(mean.key.metric, {})[mean.key.model] = mean
        found.append(Table(rate, list(dict.fromkeys(mean.key.model for mean in means)), lines))
    return found


def extremes(results: MetricsDatabase) -> Iterator[Extremes]:
    """Name the utterances with the lowest and the highest loss."""
    for order in ("best", "worst"):
        ranked = results.ranked(order, EXTREMES)
        yield Extremes(order, {one: _at_rate(results, one) for one in ranked})


def _at_rate(results: MetricsDatabase, utterance_id: str) -> dict[str, float | None]:
    losses = results.losses(utterance_id)
    return {
        model: loss
        for (model, rate), loss in losses.items()
        if rate == results.rate and model != REFERENCE
    }


def spreads(results: MetricsDatabase, table: Table) -> Iterator[Markup]:
    """Draw how the main metrics are spread over the utterances."""
    for metric in SPREADS:
        found = [
            spread for spread in results.spreads(table.rate, metric) if spread.model != REFERENCE
        ]
        found.sort(key=lambda spread: table.models.index(spread.model))
        if found:
            yield spread_figure(kind(metric).title, found)


def curves(evaluation: Evaluation) -> Iterator[Curves]:
    """Draw the loss curves of every run among the models."""
    runs = {subject.place.run for subject in evaluation.subjects if subject.place.run}
    for run in sorted(runs):
        metrics = read_run_metrics(run)
        if metrics is not None:
            drawings = {rate: _draw_loss(metrics, rate) for rate in evaluation.rates}
            yield Curves(run.name, {rate: drawn for rate, drawn in drawings.items() if drawn})


def _draw_loss(metrics: RunMetrics, rate: int) -> Markup | None:
    found = {
        kind: (np.array(curve.steps), np.array(curve.values))
        for (kind, name), curve in metrics.curves.items()
        if name == f"{rate_name(rate)}/loss"
    }
    return loss_figure(found, metrics.stages) if found else None


def listen(evaluation: Evaluation, samples: Iterable[Sample], page: Path) -> Listening:
    """Write the samples' files; embed the first ones, and link to the rest."""
    listening, folder = Listening(), SampleFolder(page.parent)
    base_names = {evaluation.base, resampled_name(evaluation.base)}
    for position, sample in enumerate(samples, start=1):
        names = folder.add(sample)
        if position <= EMBEDDED:
            cards = embedded_cards(position, sample)
        else:
            cards = linked_cards(position, sample, names, page)
        heading = Heading(position, sample.utterance_id, sample.why, sample.seconds)
        listening.samples.append((heading, cards))
        listening.trials += trials(position, sample, cards, base_names)
    folder.close()
    return listening
