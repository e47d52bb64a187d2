"""From the metrics to summary, samples and report: a whole folder, or none."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from snac_cache.store.code_store import CodeStore
from snac_cache.store.resolve import open_manifest
from snac_common.console import note
from snac_common.files import atomic_folder
from snac_eval.evaluation.choose import Wanted, choose
from snac_eval.evaluation.request import EvaluationReport
from snac_eval.measuring.metrics_database import MetricsDatabase
from snac_eval.measuring.metrics_file import read_utterances
from snac_eval.measuring.samples import Sample
from snac_eval.models.references import ADVICE, NoReference
from snac_eval.models.run_metrics import RunMetrics
from snac_eval.report.report import write_report
from snac_eval.statistics.groups import groups_of
from snac_eval.statistics.summary import Summary
from snac_eval.statistics.summary_file import Evaluation, mean_losses, write_summary
from snac_eval.statistics.table import text_table
from snac_eval.statistics.verdict import findings, in_lines

METRICS = "metrics.parquet"
SUMMARY = "summary.json"
PAGE = "report.html"
OURS = (METRICS, SUMMARY, PAGE, "audio", "plots")
SHOWN_REJECTS = 3

Losses = dict[tuple[str, int], float | None]
Sampler = Callable[[str, Losses, str], Sample]


@dataclass(frozen=True)
class Materials:
    """What a report is made of besides the metrics.

    Attributes:
        sampler: decodes an utterance; raises NoReference.
        runs: what the models' training runs logged, by folder.
    """

    store: CodeStore
    wanted: Wanted
    sampler: Sampler
    runs: Mapping[Path, RunMetrics]


@contextmanager
def results_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder that takes the place of an earlier evaluation's once it is whole.

    What is not an evaluation's own, such as saved votes, is taken over.
    """
    with atomic_folder(folder) as new:
        for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
            if entry.name not in OURS:
                copy = shutil.copytree if entry.is_dir() else shutil.copy2
                copy(entry, new / entry.name)
        yield new


def publish(evaluation: Evaluation, materials: Materials, new: Path) -> EvaluationReport:
    """Add up ``metrics.parquet`` in a folder, and write all else beside it.

    Raises:
        Failure: if the metrics are damaged.
    """
    evaluation = summarise(evaluation, materials.store, new / METRICS)
    write_summary(evaluation, new / SUMMARY)
    database = MetricsDatabase(new / METRICS, materials.store, evaluation.models[1].name)
    chosen = choose(database, materials.wanted, evaluation.seed)
    samples = _samples(chosen, database, materials.sampler)
    kept = write_report(evaluation, database, samples, materials.runs, new / PAGE)
    return EvaluationReport(
        page=new / PAGE,
        metrics=new / METRICS,
        utterances=evaluation.utterances,
        rejects=evaluation.rejects,
        samples=kept,
        losses=mean_losses(evaluation),
        verdict=in_lines(findings(evaluation)),
        table=text_table(evaluation.means),
    )


def summarise(evaluation: Evaluation, store: CodeStore, metrics: Path) -> Evaluation:
    """Return an evaluation with the means of its metrics; notes what has no reference."""
    group_of = groups_of(open_manifest(store.manifest), evaluation.group_by)
    summary = Summary(evaluation.base, evaluation.seed, group_of)
    rejects: Counter[str] = Counter()
    for rows in read_utterances(metrics):
        summary.add(rows)
        first = rows[0]
        if first.detail is not None:  # every row of an utterance without reference has one
            rejects[first.reason or ""] += 1
            if rejects.total() <= SHOWN_REJECTS:
                note(f"{first.utterance_id}: {first.detail}")
    if rejects:
        note(f"{rejects.total()} utterances could not be measured. {ADVICE}")
    return replace(evaluation, means=list(summary.means()), rejects=dict(rejects))


def _samples(
    chosen: Mapping[str, str], database: MetricsDatabase, sampler: Sampler
) -> Iterator[Sample]:
    for utterance_id, why in chosen.items():
        try:
            yield sampler(utterance_id, database.losses(utterance_id), why)
        except NoReference as missing:
            note(f"{utterance_id} cannot be listened to: {missing}")
