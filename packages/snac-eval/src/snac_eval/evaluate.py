"""The evaluation: decode, measure, sum up, write."""

import random
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch

from snac_cache.store import CodeStore
from snac_eval.decoding import Decoder
from snac_eval.measure import Losses
from snac_eval.metrics_file import metrics_writer
from snac_eval.names import results_name
from snac_eval.references import read_reference
from snac_eval.report import write_report
from snac_eval.samples import Sample
from snac_eval.subjects import find_places, load_subject
from snac_eval.summary import Summary
from snac_eval.summary_file import Evaluation, mean_losses, write_summary
from snac_eval.table import text_table
from snac_model.artifacts import Artifacts
from snac_model.console import track
from snac_model.errors import Failure

METRICS = "metrics.parquet"
SUMMARY = "summary.json"
PAGE = "report.html"


@dataclass(frozen=True)
class EvaluationRequest:
    """What is to be judged, on what, and how.

    Attributes:
        models: runs or models; the newest run if there is none.
        base: what they are compared with; by default the model that made the codes.
        artifacts: where runs are found and results go.
        codes: folder of cached codes; by default that of the artifacts.
        name: folder of the results; by default the first model's name.
        split: whose utterances.
        limit: how many of them; by default all.
        samples: how many of them to look at and listen to.
        seed: of the decoder's noise and the choice of samples.
        device: where to decode.
    """

    models: Sequence[str]
    base: str | None
    artifacts: Artifacts
    codes: Path | None
    name: str | None
    split: str
    limit: int | None
    samples: int
    seed: int
    device: str


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
    losses: dict[str, dict[str, float | None]]
    table: str


def evaluate(request: EvaluationRequest) -> EvaluationReport:
    """Judge models and their base on cached utterances; write metrics, summary and report.

    Raises:
        Failure: if there are no codes, if they are not the models' own, or if a file is missing.
    """
    store = open_store(request.codes or request.artifacts.codes, request.split)
    base = request.base or store.identity.model
    places = find_places(request.models, base, request.artifacts)
    folder = request.artifacts.evaluation(results_name(request.name, places[1]))
    subjects = [load_subject(place, store.identity) for place in places]
    decoder = Decoder(subjects, store, request.seed, torch.device(request.device))
    count = min(request.limit or len(store), len(store))
    kept = random.Random(request.seed).sample(range(count), min(request.samples, count))
    summary, samples = judge(decoder, count, set(kept), folder / METRICS)
    evaluation = Evaluation(
        subjects=subjects,
        identity=store.identity,
        codes=store.folder,
        rates=decoder.rates,
        split=request.split,
        utterances=count,
        seconds=sum(store[index].duration_s for index in range(count)),
        seed=request.seed,
        means=list(summary.means()),
    )
    write_summary(evaluation, folder / SUMMARY)
    write_report(evaluation, samples, folder / PAGE)
    table = text_table(evaluation.means)
    return EvaluationReport(folder / PAGE, folder / METRICS, count, mean_losses(evaluation), table)


def open_store(codes: Path, split: str) -> CodeStore:
    """Open a split of cached codes; raises Failure if it holds no utterance."""
    store = CodeStore(codes / split)
    if not len(store):
        raise Failure(f"the cached codes in {codes / split} hold no utterance. Run snac-cache.")
    return store


def judge(
    decoder: Decoder, count: int, kept: set[int], metrics: Path
) -> tuple[Summary, list[Sample]]:
    """Measure the first ``count`` utterances, one at a time; keep the audio of some."""
    summary, samples = Summary(decoder.base), []
    losses = Losses(decoder.rates, decoder.device)
    with metrics_writer(metrics) as writer, exact_convolutions():
        for index in track(range(count), count, "evaluate", "utterances"):
            utterance = decoder.store[index]
            reference = read_reference(utterance, decoder.store.geometry)
            outputs = decoder.outputs(index)
            rows = losses.rows(utterance.utterance_id, outputs, reference)
            writer.add(rows)
            summary.add(rows)
            if index in kept:
                samples.append(Sample.of(utterance, reference, outputs, rows))
    return summary, samples


def exact_convolutions() -> AbstractContextManager[None]:
    """Have a GPU convolve in full float32, and alike each time."""
    return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
