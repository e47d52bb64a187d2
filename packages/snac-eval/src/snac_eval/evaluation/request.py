"""What snac-eval is asked for, and what it leaves behind."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from snac_common.artifacts import Artifacts
from snac_eval.evaluation.choose import Wanted


@dataclass(frozen=True)
class EvaluationRequest:
    """What is to be measured, on what, and how.

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
        two_sample: whether classifiers are trained to tell outputs from recordings.
        ceiling: whether the reference is measured too.
        group_by: a column of the manifest, or a regular expression on ids: utterances that are
            drawn together when intervals are computed.
        wanted: which utterances to look at and listen to.
        seed: of the decoder's noise, the resamples and the choice of samples.
        devices: where to decode, one for each process.
        all_devices: whether to start all those processes even for a few utterances.
        max_reject_rate: share of utterances that may be without a reference.
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
    two_sample: bool
    ceiling: bool
    group_by: str | None
    wanted: Wanted
    seed: int
    devices: list[str]
    all_devices: bool
    max_reject_rate: float


@dataclass(frozen=True)
class EvaluationReport:
    """What an evaluation left behind.

    Attributes:
        page: the report.
        metrics: the parquet file with every value.
        utterances: how many were measured.
        rejects: how many have no reference, by reason.
        samples: how many there are to listen to.
        losses: mean losses, by model and then by name, such as ``48k/loss``.
        verdict: what was found, in sentences.
        table: the main figures as text.
    """

    page: Path
    metrics: Path
    utterances: int
    rejects: dict[str, int]
    samples: int
    losses: dict[str, dict[str, float | None]] = field(repr=False)
    verdict: list[str] = field(repr=False)
    table: str = field(repr=False)
