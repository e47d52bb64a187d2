"""The evaluation: decode and measure what is missing, add up, write."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow as pa
import torch

from snac_cache.manifests.limit import chosen
from snac_cache.manifests.stated import manifest_of_codes
from snac_cache.store.code_store import CodeStore, not_encoded_yet
from snac_cache.store.resolve import open_manifest
from snac_cache.work.engine import Engine, LocalEngine
from snac_cache.work.lock import working_in
from snac_common.console import note
from snac_common.errors import Failure
from snac_common.files import clear_leftovers
from snac_common.refresh import refresh
from snac_eval.evaluation.choose import require_judged
from snac_eval.evaluation.publish import METRICS, PAGE, Materials, publish, results_folder
from snac_eval.evaluation.request import EvaluationReport, EvaluationRequest
from snac_eval.measuring.join_parts import join_parts
from snac_eval.measuring.measure_parts import Measuring, measure_missing
from snac_eval.measuring.measure_utterance import Job, UtteranceMeasurer
from snac_eval.measuring.metrics_database import check_condition
from snac_eval.measuring.parts import Parts
from snac_eval.measuring.samples import Sample
from snac_eval.metrics.perceptual import require_libraries
from snac_eval.models.evaluated import LoadedModel, default_base, find_models, load_model
from snac_eval.models.names import rate_name, results_name
from snac_eval.models.run_metrics import RunMetrics, read_run_metrics
from snac_eval.statistics.groups import groups_of
from snac_eval.statistics.summary_file import Evaluation, MeasuredModel

UTTERANCES_A_WORKER = 32  # a process takes seconds to start; fewer are sooner done in this one


@dataclass(frozen=True)
class Prepared:
    """An evaluation of which all that can be wrong has been looked at."""

    request: EvaluationRequest
    job: Job
    folder: Path
    indices: list[int]
    measurer: UtteranceMeasurer
    runs: dict[Path, RunMetrics]


def evaluate(request: EvaluationRequest, engine: Engine | None = None) -> EvaluationReport:
    """Measure models and their base on cached utterances; write metrics, summary and report.

    What was measured stays in a hidden folder until all is written: stopped and started again, an
    evaluation goes on where it was, and gives the same files.

    Raises:
        Failure: if there are no codes, if a model's tokens are of another length, or a worker died.
    """
    prepared = prepare(request)
    folder = prepared.folder
    refresh(folder)
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    with working_in(unfinished, "snac-eval"):
        clear_leftovers(unfinished)
        clear_leftovers(folder.parent)
        engine = engine or LocalEngine(devices_for(request, len(prepared.indices)))
        parts = Parts(unfinished, asked(prepared, engine.devices[0]), prepared.indices)
        measuring = Measuring(prepared.job, parts, engine.devices)
        measure_missing(measuring, prepared.measurer, engine)
        with results_folder(folder) as new:
            join_parts(parts, request.seed, new / METRICS)
            report = publish(describe(prepared), materials(prepared), new)
        if not report.rejects:  # else the same command measures what it could not measure now
            shutil.rmtree(unfinished, ignore_errors=True)
    return replace(report, page=folder / PAGE, metrics=folder / METRICS)


def prepare(request: EvaluationRequest) -> Prepared:
    """Open and check all that is needed, before hours of measuring."""
    require_libraries(request.perceptual)
    store = open_store(request.codes, request, request.split)
    ids = store.column("utterance_id")
    indices = chosen(ids, request.limit).tolist()
    if request.wanted.ids:
        require_judged(ids.take(pa.array(indices)), request.wanted.ids)
    groups_of(open_manifest(store.manifest), request.group_by)
    job = make_job(request, store)
    folder = request.artifacts.evaluation(results_name(request.name, job.models[1].name))
    models = [load_model(model, store.identity) for model in job.models]
    for model in models:
        if model.own_codes:
            note(
                f"{model.name} has an encoder or quantizer of its own: it encodes the audio, and "
                "decodes its own codes in place of the cached ones"
            )
    runs = read_runs([model.source.run for model in models])
    measurer = UtteranceMeasurer(job, request.devices[0], models)
    if request.wanted.where:
        ids = store.column("utterance_id").take(indices).to_pylist()
        check_condition(request.wanted.where, store, ids, columns(measurer, models[1]))
    return Prepared(request, job, folder, indices, measurer, runs)


def open_store(codes: Path | None, request: EvaluationRequest, split: str) -> CodeStore:
    """Open a split of cached codes; raises Failure if it holds no utterance."""
    codes = codes or request.artifacts.codes
    manifest = manifest_of_codes(codes, request.manifest, request.artifacts.manifests)
    store = CodeStore(codes, split, manifest)
    if not len(store):
        raise Failure(
            f"{codes} holds no {split} utterance of the manifest {manifest}. Run "
            "snac-cache, or give another --manifest."
        )
    if store.not_encoded:
        note(not_encoded_yet(store.not_encoded))
    return store


def make_job(request: EvaluationRequest, store: CodeStore) -> Job:
    """Find the models; say what every process does."""
    base = request.base or default_base(request.models, store.identity.model, request.artifacts)
    return Job(
        models=find_models(request.models, base, request.artifacts),
        codes=store.folder,
        split=store.split,
        manifest=store.manifest,
        seed=request.seed,
        segment_s=request.segment_s,
        perceptual=request.perceptual,
        two_sample=request.two_sample,
        ceiling=request.ceiling,
    )


def read_runs(runs: Sequence[Path | None]) -> dict[Path, RunMetrics]:
    """Read what training runs logged; raises Failure if a log is damaged."""
    read = {run: read_run_metrics(run) for run in runs if run}
    return {run: metrics for run, metrics in sorted(read.items()) if metrics is not None}


def columns(measurer: UtteranceMeasurer, model: LoadedModel) -> list[str]:
    """Return the metrics of a model as a condition names them: ``48k/loss``."""
    return [
        f"{rate_name(rate)}/{metric}"
        for name, rate in measurer.decoder.versions()
        if name == model.name
        for metric in measurer.measures.names(rate)
    ]


def asked(prepared: Prepared, device: str) -> str:
    """Return all that decides the values of an utterance besides itself, as text.

    Args:
        device: that it is measured on.
    """
    job = prepared.job
    return json.dumps(
        {
            "models": [[model.name, model.weights_sha256] for model in prepared.measurer.models],
            "cache": asdict(prepared.measurer.store.identity),
            "seed": job.seed,
            "segment_s": job.segment_s,
            "metrics": list(map(prepared.measurer.measures.names, prepared.measurer.decoder.rates)),
            "ceiling": job.ceiling,
            "device": torch.device(device).type,
            "torch": str(torch.__version__),
        },
        sort_keys=True,
        default=str,
    )


def devices_for(request: EvaluationRequest, count: int) -> list[str]:
    """Return the devices of as many processes as ``count`` utterances are worth."""
    worth = max(1, count // UTTERANCES_A_WORKER)
    return request.devices if request.all_devices else request.devices[:worth]


def describe(prepared: Prepared) -> Evaluation:
    """Say what was measured, and how."""
    request, measurer = prepared.request, prepared.measurer
    return Evaluation(
        models=[
            MeasuredModel(model.source, model.weights_sha256, model.own_codes)
            for model in measurer.models
        ],
        codes_model=measurer.store.identity.model,
        tokenizer_sha256=measurer.store.identity.tokenizer_sha256,
        codes=measurer.store.folder,
        manifest=measurer.store.manifest,
        rates=measurer.decoder.rates,
        split=request.split,
        utterances=len(prepared.indices),
        seconds=sum(map(measurer.decoder.seconds, prepared.indices)),
        seed=request.seed,
        segment_s=request.segment_s,
        group_by=request.group_by,
        rejects={},
        means=[],
    )


def materials(prepared: Prepared) -> Materials:
    """Return what the report is made of besides the metrics."""
    measurer = prepared.measurer

    def sampler(utterance_id: str, losses: dict[tuple[str, int], float | None], why: str) -> Sample:
        return measurer.sample(measurer.store.index_of(utterance_id), losses, why)

    return Materials(measurer.store, prepared.request.wanted, sampler, prepared.runs)
