"""The page: a file that fetches nothing, and the samples beside it."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from snac_common.files import write_text
from snac_eval.measuring.metrics_database import MetricsDatabase
from snac_eval.measuring.samples import Sample
from snac_eval.models.names import REFERENCE, duration, kilohertz, rate_name, shown_name
from snac_eval.models.run_metrics import RunMetrics
from snac_eval.report.figures import loss_figure, spread_figure
from snac_eval.report.listening import listen
from snac_eval.report.pages import render
from snac_eval.report.run_facts import RunFacts, read_run_facts
from snac_eval.report.tables import metrics_of, tables
from snac_eval.statistics.bootstrap import FEWEST_FOR_VERDICT
from snac_eval.statistics.catalogue import GROUPS, definition, kind
from snac_eval.statistics.summary_file import Evaluation
from snac_eval.statistics.table import interval, number
from snac_eval.statistics.verdict import findings

SCRIPTS = ("players.js", "blind_test.js")
EXTREMES = 5  # best and worst utterances that are named
FILTERS: dict[str, Callable[..., Any]] = {
    "number": number,
    "kilohertz": kilohertz,
    "interval": interval,
    "duration": duration,
    "title_of": lambda metric: kind(metric).title,
    "shown": shown_name,
    "definition": definition,
    "unbroken": lambda text: text.replace(" %", "\N{NO-BREAK SPACE}%"),
}
SPREADS = (
    "loss",
    "lsd",
    "mel",
    "pesq",
    "stoi",
    "visqol_speech",
    "sharpness_error",
    "sharpness",
    "dnsmos",
    "plcmos",
)


@dataclass(frozen=True)
class Training:
    """A run among the models: what it says of itself, and its losses, a drawing for each rate."""

    run: RunFacts
    drawings: dict[int, Markup]


@dataclass(frozen=True)
class Extremes:
    """The utterances that a model did best or worst on, with all losses at its highest rate."""

    title: str
    losses: dict[str, dict[str, float | None]]


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
    script = "".join(
        files("snac_eval").joinpath("templates", name).read_text(encoding="utf-8")
        for name in SCRIPTS
    )
    found = tables(evaluation)
    listening = listen(evaluation, samples, path)
    text = render(
        "report.html.jinja",
        FILTERS,
        evaluation=evaluation,
        fewest=FEWEST_FOR_VERDICT,
        trained=[model.name for model in evaluation.models[1:]],
        findings=findings(evaluation),
        groups=GROUPS,
        tables=found,
        metrics=metrics_of(found),
        extremes=list(extremes(database)),
        spreads={table.rate: list(spreads(evaluation, database, table.rate)) for table in found},
        trainings=list(trainings(evaluation, runs)),
        narrow=database.narrow_references(),
        listening=listening,
        samples=listening.numbers(),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    write_text(path, text)
    return len(listening.samples)


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


def spreads(evaluation: Evaluation, database: MetricsDatabase, rate: int) -> Iterator[Markup]:
    """Draw how the main metrics are spread over the utterances."""
    order = list(dict.fromkeys(mean.key.model for mean in evaluation.means))
    for metric in SPREADS:
        found = {spread.model: spread for spread in database.spreads(rate, metric)}
        named = [
            (shown_name(model, evaluation.base), found[model])
            for model in order
            if model in found and model != REFERENCE
        ]
        if named:
            yield spread_figure(kind(metric).title, named)


def trainings(evaluation: Evaluation, runs: Mapping[Path, RunMetrics]) -> Iterator[Training]:
    """Describe every run among the models, and draw its losses."""
    for run, metrics in runs.items():
        drawings = {rate: _draw_loss(metrics, rate) for rate in reversed(evaluation.rates)}
        drawn = {rate: drawing for rate, drawing in drawings.items() if drawing}
        yield Training(read_run_facts(run), drawn)


def _draw_loss(metrics: RunMetrics, rate: int) -> Markup | None:
    name = f"{rate_name(rate)}/loss"
    found = {
        kind: (np.array(curve.seen), np.array(curve.values))
        for (kind, metric), curve in metrics.curves.items()
        if metric == name
    }
    resampled = metrics.curves.get(("baseline", f"resampled/{name}"))
    if resampled:
        found["resampled"] = (np.array(resampled.seen), np.array(resampled.values))
        found.pop("baseline", None)
    return loss_figure(found, metrics.stages) if found else None
