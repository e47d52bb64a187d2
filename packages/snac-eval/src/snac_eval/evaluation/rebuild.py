"""Summary, page and samples anew, of metrics that are there: nothing is measured."""

import os
import shutil
from dataclasses import dataclass, replace
from functools import cached_property

import pyarrow as pa

from snac_cache.store.code_store import CodeStore
from snac_common.errors import Failure
from snac_common.refresh import refresh
from snac_common.run_mirror import bring_model
from snac_eval.evaluation.choose import require_judged
from snac_eval.evaluation.evaluate import open_store, read_runs
from snac_eval.evaluation.publish import METRICS, PAGE, SUMMARY, Materials, publish, results_folder
from snac_eval.evaluation.request import EvaluationReport, EvaluationRequest
from snac_eval.measuring.measure_utterance import Job, UtteranceMeasurer
from snac_eval.measuring.metrics_file import read_utterances
from snac_eval.measuring.samples import Sample
from snac_eval.models.evaluated import find_model, load_model, newest_run
from snac_eval.models.names import results_name
from snac_eval.statistics.summary_file import Evaluation, read_summary


def rebuild(request: EvaluationRequest) -> EvaluationReport:
    """Write summary, page and samples of an evaluation again, from its ``metrics.parquet``.

    What was measured, and how, is what its ``summary.json`` says. The request gives the name, the
    samples and the groups, and where codes and manifest are if they have moved.

    Raises:
        Failure: if there is no such evaluation, or a model has changed since.
    """
    name = results_name(request.name, _model_name(request))
    folder = request.artifacts.evaluation(name)
    refresh(folder)
    said = read_summary(folder / SUMMARY)
    if not (folder / METRICS).is_file():
        raise Failure(f"there is no {folder / METRICS}: run snac-eval without --report-only.")
    refresh(said.codes, said.manifest)
    for model in said.models:
        bring_model(model.source.where, request.artifacts)
    store = open_store(request.codes or said.codes, _with_manifest(request, said), said.split)
    if request.wanted.ids:
        measured = [rows[0].utterance_id for rows in read_utterances(folder / METRICS)]
        require_judged(pa.array(measured), request.wanted.ids)
    said = replace(
        said,
        codes=store.folder,
        manifest=store.manifest,
        group_by=request.group_by or said.group_by,
    )
    sampler = _Sampler(said, store, request.devices[0])
    runs = read_runs([model.source.run for model in said.models])
    with results_folder(folder) as new:
        _take_over(folder / METRICS, new / METRICS)
        report = publish(said, Materials(store, request.wanted, sampler, runs), new)
    return replace(report, page=folder / PAGE, metrics=folder / METRICS)


def _model_name(request: EvaluationRequest) -> str:
    if request.name:
        return request.name
    first = request.models[0] if request.models else None
    return (find_model(first, request.artifacts) if first else newest_run(request.artifacts)).name


def _with_manifest(request: EvaluationRequest, said: Evaluation) -> EvaluationRequest:
    """Take the manifest that was measured with, if it is there and no other is asked for."""
    if request.manifest is None and said.manifest.exists():
        return replace(request, manifest=str(said.manifest))
    return request


def _take_over(old: os.PathLike[str], new: os.PathLike[str]) -> None:
    try:
        os.link(old, new)
    except OSError:  # a file system without links
        shutil.copyfile(old, new)


@dataclass
class _Sampler:
    """Decodes samples, with models that are loaded when the first is asked for."""

    said: Evaluation
    store: CodeStore
    device: str

    def __call__(
        self, utterance_id: str, losses: dict[tuple[str, int], float | None], why: str
    ) -> Sample:
        return self._measurer.sample(self.store.index_of(utterance_id), losses, why)

    @cached_property
    def _measurer(self) -> UtteranceMeasurer:
        said = self.said
        models = [load_model(model.source, self.store.identity) for model in said.models]
        for known, model in zip(said.models, models, strict=True):
            if known.weights_sha256 != model.weights_sha256:
                raise Failure(
                    f"{known.source.where} has other weights than were measured. Run snac-eval "
                    "without --report-only, or give --samples 0."
                )
        sources = [model.source for model in said.models]
        job = Job(
            models=sources,
            codes=said.codes,
            split=said.split,
            manifest=said.manifest,
            seed=said.seed,
            segment_s=said.segment_s,
            perceptual=(),
            two_sample=False,
            ceiling=False,
        )
        return UtteranceMeasurer(job, self.device, models)
