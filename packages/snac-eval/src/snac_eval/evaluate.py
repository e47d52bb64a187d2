"""The evaluation: decode, measure, sum up, write."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from snac_cache.manifests.limit import chosen
from snac_cache.manifests.stated import manifest_of_codes
from snac_cache.store.code_store import CodeStore
from snac_common.artifacts import Artifacts
from snac_common.errors import Failure
from snac_common.progress import track
from snac_eval.choose import Wanted, choose, require_judged
from snac_eval.measure_utterance import Job, UtteranceMeasurer
from snac_eval.metrics_database import MetricsDatabase
from snac_eval.metrics_file import metrics_writer
from snac_eval.models import find_models
from snac_eval.names import results_name
from snac_eval.parallel import in_order
from snac_eval.perceptual import require_libraries
from snac_eval.report import write_report
from snac_eval.summary import Summary
from snac_eval.summary_file import Evaluation, mean_losses, write_summary
from snac_eval.table import text_table

METRICS = "metrics.parquet"
SUMMARY = "summary.json"
PAGE = "report.html"
UTTERANCES_A_WORKER = 32  # a process takes seconds to start; fewer are sooner done in this one


@dataclass(frozen=True)
class EvaluationRequest:
    """What is to be judged, on what, and how.

    Attributes:
        models: runs or models; the newest run if there is none.
        base: what they are compared with; by default the model that made the codes.
        artifacts: where runs are found and results go.
        codes: folder of cached codes; by default that of the artifacts.
        manifest: folder or file with what is known of the utterances; by default the artifacts',
            else what it was when they were cached.
        name: folder of the results; by default the first model's name.
        split: whose utterances.
        limit: how many of them, chosen by a hash of their ids; by default all.
        segment_s: how many seconds of each; by default all.
        perceptual: which of ``perceptual.METRICS`` to compute.
        ceiling: whether the reference is judged too.
        wanted: which utterances to look at and listen to.
        seed: of the decoder's noise, the resamples and the choice of samples.
        devices: where to decode, one for each process.
        all_devices: whether to start all those processes even for a few utterances.
    """

    models: Sequence[str]
    base: str | None
    artifacts: Artifacts
    codes: Path | None
    manifest: str | None
    name: str | None
    split: str
    limit: int | None
    segment_s: float | None
    perceptual: tuple[str, ...]
    ceiling: bool
    wanted: Wanted
    seed: int
    devices: list[str]
    all_devices: bool


@dataclass(frozen=True)
class EvaluationReport:
    """What an evaluation left behind.

    Attributes:
        page: the report.
        metrics: the parquet file with every value.
        utterances: how many were judged.
        losses: mean losses, by model and then by name, such as ``48k/loss``.
        table: the main figures as text.
    """

    page: Path
    metrics: Path
    utterances: int
    losses: dict[str, dict[str, float | None]] = field(repr=False)
    table: str = field(repr=False)


def evaluate(request: EvaluationRequest) -> EvaluationReport:
    """Measure models and their base on cached utterances; write metrics, summary and report.

    Raises:
        Failure: if there are no codes, if they are not the models' own, or if a file is missing.
    """
    if request.perceptual:
        require_libraries()
    store = open_store(request)
    judged = chosen(store.column("utterance_id"), request.limit).tolist()
    require_judged(store, judged, request.wanted.ids)
    job = make_job(request, store)
    folder = request.artifacts.evaluation(results_name(request.name, job.places[1]))
    judge = UtteranceMeasurer(job, request.devices[0])
    devices = devices_for(request, len(judged))
    summary = measure(judge, job, judged, devices, folder / METRICS)
    evaluation = Evaluation(
        subjects=judge.subjects,
        identity=store.identity,
        codes=store.folder,
        manifest=store.manifest,
        rates=judge.decoder.rates,
        split=request.split,
        utterances=len(judged),
        seconds=sum(map(judge.decoder.seconds, judged)),
        seed=request.seed,
        segment_s=request.segment_s,
        means=list(summary.means()),
    )
    write_summary(evaluation, folder / SUMMARY)
    results = MetricsDatabase(folder / METRICS, store, job.places[1].name)
    samples = choose(results, request.wanted, request.seed)
    signals = (
        judge.sample(store.index_of(utterance_id), results.losses(utterance_id), why)
        for utterance_id, why in samples.items()
    )
    write_report(evaluation, results, signals, folder / PAGE)
    table = text_table(evaluation.means)
    losses = mean_losses(evaluation)
    return EvaluationReport(folder / PAGE, folder / METRICS, len(judged), losses, table)


def open_store(request: EvaluationRequest) -> CodeStore:
    """Open a split of cached codes; raises Failure if it holds no utterance."""
    codes = request.codes or request.artifacts.codes
    manifest = manifest_of_codes(codes, request.manifest, request.artifacts.manifests)
    store = CodeStore(codes, request.split, manifest)
    if not len(store):
        raise Failure(
            f"{codes} holds no {request.split} utterance of the manifest {manifest}. Run "
            "snac-cache, or give another --manifest."
        )
    return store


def make_job(request: EvaluationRequest, store: CodeStore) -> Job:
    """Find the models; say what every process does."""
    base = request.base or store.identity.model
    return Job(
        places=find_models(request.models, base, request.artifacts),
        codes=store.folder,
        split=store.split,
        manifest=store.manifest,
        seed=request.seed,
        segment_s=request.segment_s,
        perceptual=request.perceptual,
        ceiling=request.ceiling,
    )


def devices_for(request: EvaluationRequest, count: int) -> list[str]:
    """Return the devices of as many processes as ``count`` utterances are worth."""
    worth = max(1, count // UTTERANCES_A_WORKER)
    return request.devices if request.all_devices else request.devices[:worth]


def measure(
    judge: UtteranceMeasurer, job: Job, indices: list[int], devices: list[str], metrics: Path
) -> Summary:
    """Measure the utterances with these indices, in this process or in several."""
    summary = Summary(judge.decoder.base, job.seed)
    alone = len(devices) == 1
    rows = map(judge.rows, indices) if alone else in_order(job, indices, devices)
    with metrics_writer(metrics) as writer:
        for utterance in track(rows, len(indices), "evaluate", "utterances"):
            writer.add(utterance)
            summary.add(utterance)
    return summary
