"""``snac-eval``: measure models on cached utterances and write a report."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from snac_common.artifacts import SPLITS, Artifacts
from snac_common.choices import FiniteRange
from snac_common.console import note, print_summary
from snac_common.errors import BadInput
from snac_common.options import (
    artifacts_option,
    check_reject_rate,
    codes_option,
    device_option,
    manifest_option,
    max_reject_rate_option,
    ray_option,
)
from snac_common.refresh import refresh
from snac_common.tool import Tool

if TYPE_CHECKING:
    from snac_eval.evaluation.request import EvaluationReport

PERCEPTUAL = ("pesq", "stoi", "visqol_speech", "visqol_audio", "dnsmos", "plcmos")
OF_MEASURING = (
    "base",
    "split",
    "limit",
    "segment",
    "perceptual",
    "two_sample",
    "ceiling",
    "seed",
)
EXAMPLE = """snac-eval my-run --perceptual dnsmos --samples 6
snac-eval my-run --report-only --samples 20 --where "speaker = 'anna'"
"""


@click.command(cls=Tool, example=EXAMPLE)
@click.argument("models", nargs=-1, metavar="[RUN_OR_MODEL]...")
@click.option(
    "--base",
    metavar="MODEL",
    help="Compare with this starting model. [default: the model that made the codes]",
)
@artifacts_option
@codes_option
@manifest_option
@click.option(
    "--name",
    help="Write the results to ARTIFACTS/eval/NAME. [default: the first model's name]",
)
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    default="val",
    help="Measure the utterances of this split.",
)
@click.option(
    "--limit",
    "--val-limit",
    "limit",
    type=click.IntRange(min=0),
    metavar="N",
    help="Measure only N utterances, chosen by a hash of their ids; 0 means all. [default: all]",
)
@click.option(
    "--segment",
    type=FiniteRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Measure only the first SECONDS of each utterance. [default: all of it]",
)
@click.option(
    "--perceptual",
    multiple=True,
    type=click.Choice([*PERCEPTUAL, "all"]),
    help="Compute this metric too. It needs an extra of snac-eval. dnsmos and plcmos are about "
    "realism, the others are about fidelity. May be given several times. [default: none]",
)
@click.option(
    "--two-sample",
    is_flag=True,
    help="Train a small classifier for every output, on half of the utterances, to tell it from "
    "the recordings, and say how often it is right on the other half. It takes some seconds for "
    "each output. [default: no]",
)
@click.option(
    "--ceiling",
    is_flag=True,
    help="Measure the recordings themselves too: the best that is possible. [default: no]",
)
@click.option(
    "--group-by",
    metavar="COLUMN|REGEX",
    help="Compute intervals over groups of utterances, not over single ones. A group is a column "
    "of the manifest, such as speaker, or what a regular expression finds in an id. [default: "
    "each utterance alone]",
)
@click.option(
    "--samples",
    type=click.IntRange(min=0),
    default=6,
    metavar="N",
    help="Put N utterances into the page to listen to.",
)
@click.option(
    "--pick",
    type=click.Choice(["mixed", "best", "worst", "random"]),
    default="mixed",
    help="Choose the samples by the first model's loss. mixed takes a third each of the worst, the "
    "best and random ones.",
)
@click.option(
    "--where",
    metavar="SQL",
    help="Choose samples only among utterances that meet this condition on the manifest's columns "
    "and the metrics, such as 'duration_s > 4 AND \"48k/lsd\" > 1.5'. [default: among all]",
)
@click.option(
    "--id",
    "ids",
    multiple=True,
    metavar="ID",
    help="Put this utterance into the page, and no others. May be given several times. [default: "
    "chosen by --pick]",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    help="Decide the decoder's noise, the resamples of the intervals and the random samples.",
)
@device_option
@click.option(
    "--gpus",
    metavar="0,1,...",
    help="Start one worker process on each of these GPUs. [default: one on the chosen device]",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    help="Measure in N processes on the CPU. [default: one for every 32 utterances, at most one a "
    "core]",
)
@ray_option
@max_reject_rate_option
@click.option(
    "--report-only",
    is_flag=True,
    help="Measure nothing: write summary, page and samples again from the metrics.parquet that is "
    "there. [default: measure what is missing]",
)
@click.option(
    "--votes",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Do nothing but add up the votes of a blind test that a listener saved. May be given "
    "several times. [default: none]",
)
@click.pass_context
def main(
    context: click.Context,
    *,
    models: tuple[str, ...],
    base: str | None,
    artifacts: Path | None,
    codes: Path | None,
    manifest: str | None,
    name: str | None,
    split: str,
    limit: int | None,
    segment: float | None,
    perceptual: tuple[str, ...],
    two_sample: bool,
    ceiling: bool,
    group_by: str | None,
    samples: int,
    pick: str,
    where: str | None,
    ids: tuple[str, ...],
    seed: int,
    device: str,
    gpus: str | None,
    workers: int | None,
    ray: str | None,
    max_reject_rate: float,
    report_only: bool,
    votes: tuple[Path, ...],
) -> None:
    """Compare decoders with their starting model, and write a page to listen to and read.

    RUN_OR_MODEL is the name or folder of a run, whose best model is taken, or any model: a Hub id,
    a folder, or builtin:NAME. Without one it is the newest run. Give the same command again after
    an evaluation was stopped: it goes on where it was.
    """
    if votes:
        add_up(votes)
        return
    if report_only:
        refuse_measuring(context)
    from snac_cache.work.cluster import choose_cluster
    from snac_cache.work.engine import ray_engine
    from snac_common.devices import choose_workers
    from snac_eval.evaluation.choose import Wanted
    from snac_eval.evaluation.evaluate import evaluate
    from snac_eval.evaluation.rebuild import rebuild
    from snac_eval.evaluation.request import EvaluationRequest

    cluster = choose_cluster(ray, gpus, workers)
    places = Artifacts.at(artifacts)
    refresh(codes or places.codes, manifest or places.manifests)
    request = EvaluationRequest(
        models=models,
        base=base,
        artifacts=places,
        codes=codes,
        manifest=manifest,
        name=name,
        split=split,
        limit=limit or None,
        segment_s=segment,
        perceptual=PERCEPTUAL if "all" in perceptual else tuple(dict.fromkeys(perceptual)),
        two_sample=two_sample,
        ceiling=ceiling,
        group_by=group_by,
        wanted=Wanted(samples, pick, where, ids),
        seed=seed,
        devices=choose_workers("auto" if cluster else device, gpus, workers),
        all_devices=workers is not None,
        max_reject_rate=max_reject_rate,
    )
    if report_only:
        report = rebuild(request)
    else:
        joined = ray_engine(cluster, places.root, device) if cluster else nullcontext(None)
        with joined as engine:
            report = evaluate(request, engine)
    say(report)
    rejected = sum(report.rejects.values())
    check_reject_rate(report.rejects, report.utterances - rejected, max_reject_rate)


def refuse_measuring(context: click.Context) -> None:
    """Raise BadInput if an option is given that ``--report-only`` cannot follow."""
    for name in OF_MEASURING:
        if context.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            raise BadInput(
                f"--{name.replace('_', '-')} decides what is measured, and --report-only measures "
                "nothing: leave out one of the two."
            )


def say(report: "EvaluationReport") -> None:
    """Tell a person the verdict, the figures and where the page is; tell a program in JSON."""
    note(f"{report.table}\n\n" + "\n".join(report.verdict))
    note(f"report: {report.page}")
    if sys.stdout.isatty():
        return
    print_summary(
        report=str(report.page),
        metrics=str(report.metrics),
        utterances=report.utterances,
        rejects=report.rejects,
        samples=report.samples,
        losses=report.losses,
        verdict=report.verdict,
    )


def add_up(votes: tuple[Path, ...]) -> None:
    """Print the votes' sums."""
    from dataclasses import asdict

    from snac_eval.statistics.votes import count_votes, votes_table

    tallies = count_votes(votes)
    note(votes_table(tallies))
    if sys.stdout.isatty():
        return
    print_summary(
        votes=[
            {**asdict(tally), "share": tally.share, "interval": tally.interval} for tally in tallies
        ]
    )


if __name__ == "__main__":
    main()
