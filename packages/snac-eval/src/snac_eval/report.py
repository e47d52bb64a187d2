"""The page: a file that fetches nothing, and the samples beside it."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from snac_common.files import write_text
from snac_eval.bootstrap import FEWEST_FOR_VERDICT
from snac_eval.cards import Card, embedded_cards, linked_cards, trials
from snac_eval.catalogue import TOO_FEW, kind, verdict
from snac_eval.figures import loss_figure, spread_figure
from snac_eval.metrics_database import MetricsDatabase
from snac_eval.names import REFERENCE, kilohertz, rate_name, resampled_name
from snac_eval.pages import render
from snac_eval.run_metrics import RunMetrics
from snac_eval.samples import Sample, SampleFolder
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
    "colour": lambda mean: verdict(mean).replace(TOO_FEW, ""),
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
    evaluation: Evaluation,
    database: MetricsDatabase,
    samples: Iterable[Sample],
    runs: Mapping[Path, RunMetrics],
    path: Path,
) -> int:
    """Write ``report.html`` and ``audio/``; the same evaluation gives the same bytes.

    Returns:
        How many samples there are.
    """
    script = files("snac_eval").joinpath("templates/report.js").read_text(encoding="utf-8")
    found = tables(evaluation)
    listening = listen(evaluation, samples, path)
    text = render(
        "report.html.jinja",
        FILTERS,
        evaluation=evaluation,
        fewest=FEWEST_FOR_VERDICT,
        trained=[model.name for model in evaluation.models[1:]],
        tables=found,
        extremes=list(extremes(database)),
        spreads={table.rate: list(spreads(database, table)) for table in found},
        curves=list(curves(evaluation, runs)),
        listening=listening,
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    write_text(path, text)
    return len(listening.samples)


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


def extremes(database: MetricsDatabase) -> Iterator[Extremes]:
    """Name the utterances with the lowest and the highest loss."""
    for order in ("best", "worst"):
        ranked = database.ranked(order, EXTREMES)
        yield Extremes(order, {one: _at_rate(database, one) for one in ranked})


def _at_rate(database: MetricsDatabase, utterance_id: str) -> dict[str, float | None]:
    losses = database.losses(utterance_id)
    return {
        model: loss
        for (model, rate), loss in losses.items()
        if rate == database.rate and model != REFERENCE
    }


def spreads(database: MetricsDatabase, table: Table) -> Iterator[Markup]:
    """Draw how the main metrics are spread over the utterances."""
    for metric in SPREADS:
        found = [
            spread for spread in database.spreads(table.rate, metric) if spread.model != REFERENCE
        ]
        found.sort(key=lambda spread: table.models.index(spread.model))
        if found:
            yield spread_figure(kind(metric).title, found)


def curves(evaluation: Evaluation, runs: Mapping[Path, RunMetrics]) -> Iterator[Curves]:
    """Draw the loss curves of every run among the models."""
    for run, metrics in runs.items():
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
    weights = [model.weights_sha256 for model in evaluation.models]
    measured = json.dumps([weights, evaluation.seed, evaluation.segment_s])
    base_names = {evaluation.base, resampled_name(evaluation.base)}
    for position, sample in enumerate(samples, start=1):
        names = folder.add(sample)
        if position <= EMBEDDED:
            cards = embedded_cards(position, sample)
        else:
            cards = linked_cards(position, sample, names, page)
        heading = Heading(position, sample.utterance_id, sample.why, sample.seconds)
        listening.samples.append((heading, cards))
        listening.trials += trials(sample, cards, base_names, measured)
    folder.close()
    return listening
