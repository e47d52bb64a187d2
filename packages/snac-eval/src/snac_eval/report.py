"""The page: everything in one file, nothing fetched."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from snac_eval.audio_data import audio_uri
from snac_eval.figures import loss_figure, spectrogram_figure
from snac_eval.names import kilohertz, rate_name
from snac_eval.run_metrics import RunMetrics, read_run_metrics
from snac_eval.samples import REFERENCE, Sample
from snac_eval.spectrogram import spectrogram_db
from snac_eval.summary import Mean
from snac_eval.summary_file import Evaluation
from snac_eval.table import number, percent
from snac_model.files import write_text


@dataclass(frozen=True)
class Table:
    """The means at one rate: ``lines`` are models, with a mean for each of ``metrics``."""

    rate: int
    metrics: list[str]
    lines: dict[str, list[Mean]]


@dataclass(frozen=True)
class Curves:
    """The losses of one run, a drawing for each rate."""

    run: str
    drawings: dict[int, Markup]


@dataclass(frozen=True)
class Card:
    """One version of an utterance: how it looks and sounds."""

    model: str
    rate: int
    loss: float | None
    is_reference: bool
    drawing: Markup
    audio: str


def write_report(evaluation: Evaluation, samples: Sequence[Sample], path: Path) -> None:
    """Write ``report.html``; the same evaluation gives the same bytes."""
    page = _environment().get_template("report.html.jinja")
    text = page.render(
        evaluation=evaluation,
        trained=[subject.name for subject in evaluation.subjects[1:]],
        tables=tables(evaluation),
        curves=list(curves(evaluation)),
        samples=[(sample, cards(sample)) for sample in samples],
    )
    write_text(path, text)


def tables(evaluation: Evaluation) -> list[Table]:
    """Arrange the means by rate, model and metric."""
    found = []
    for rate in evaluation.rates:
        means = [mean for mean in evaluation.means if mean.rate == rate]
        lines: dict[str, list[Mean]] = {}
        for mean in means:
            lines.setdefault(mean.model, []).append(mean)
        found.append(Table(rate, list(dict.fromkeys(mean.metric for mean in means)), lines))
    return found


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


def cards(sample: Sample) -> list[Card]:
    """Draw an utterance in all its versions, on one scale."""
    levels = [spectrogram_db(signal) for signal in sample.signals]
    top_rate = max(signal.rate for signal in sample.signals)
    loudest = float(levels[0].max())
    return [
        Card(
            model=signal.model,
            rate=signal.rate,
            loss=signal.loss,
            is_reference=signal.model == REFERENCE,
            drawing=spectrogram_figure(drawn, sample.seconds, signal.rate, top_rate, loudest),
            audio=audio_uri(signal),
        )
        for signal, drawn in zip(sample.signals, levels, strict=True)
    ]


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("snac_eval"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, percent=percent, kilohertz=kilohertz)
    return environment
