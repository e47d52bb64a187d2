"""``snac-eval``: measure models on cached utterances and write a report."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from snac_common.artifacts import SPLITS, Artifacts
from snac_common.console import note, print_summary
from snac_common.errors import BadInput
from snac_common.options import (
    artifacts_option,
    check_reject_rate,
    codes_option,
    device_option,
    manifest_option,
    max_reject_rate_option,
)
from snac_common.tool import Tool

if TYPE_CHECKING:
    from snac_eval.request import EvaluationReport

PERCEPTUAL = ("pesq", "stoi", "visqol_speech", "visqol_audio", "dnsmos")
OF_MEASURING = ("base", "split", "limit", "segment", "perceptual", "ceiling", "seed")
EXAMPLE = """snac-eval my-run --samples 6
snac-eval my-run --report-only --samples 20 --pick worst
"""


@click.command(cls=Tool, example=EXAMPLE)
@click.argument("models", nargs=-1, metavar="[RUN_OR_MODEL]...")
@click.option(
    "--base",
    metavar="MODEL",
    help="Model to compare with. [default: the one that made the codes]",
)
@artifacts_option
@codes_option
@manifest_option
@click.option(
    "--name", help="Name of the results' folder in ARTIFACTS/eval. [default: the first model's]"
)
@click.option(
    "--split", type=click.Choice(SPLITS), default="val", help="Split whose utterances are measured."
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
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Measure only the first seconds of each utterance. [default: all of it]",
)
@click.option(
    "--perceptual",
    multiple=True,
    type=click.Choice([*PERCEPTUAL, "all"]),
    help="Compute this metric too; needs an extra of snac-eval. May be given several times.",
)
@click.option(
    "--ceiling", is_flag=True, help="Measure the reference too, as the best that is possible."
)
@click.option(
    "--group-by",
    metavar="COLUMN|REGEX",
    help="Draw all utterances of a group together when intervals are computed: by a column of the "
    "manifest, such as speaker, or by what this finds in an id, as in snac-manifest.",
)
@click.option(
    "--samples", type=click.IntRange(min=0), default=6, help="Number of utterances to listen to."
)
@click.option(
    "--pick",
    type=click.Choice(["mixed", "best", "worst", "random"]),
    default="mixed",
    help="How samples are chosen, by the first model's loss; mixed takes a third each of the "
    "worst, the best and random ones.",
)
@click.option(
    "--where",
    metavar="SQL",
    help="Choose samples only among utterances that meet this condition.",
)
@click.option(
    "--id",
    "ids",
    multiple=True,
    metavar="ID",
    help="Listen to this utterance. May be given several times.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    help="Seed of the decoder's noise, of the bootstrap and of random samples.",
)
@device_option
@click.option("--gpus", metavar="0,1,...", help="Start one worker process on each of these GPUs.")
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Number of CPU processes. [default: one for every 32 utterances, up to one a core]",
)
@max_reject_rate_option
@click.option(
    "--report-only",
    is_flag=True,
    help="Measure nothing: write summary, page and samples again, from the metrics.parquet that "
    "is there.",
)
@click.option(
    "--votes",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Do nothing but add up the votes that listeners saved. May be given several times.",
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
    max_reject_rate: float,
    report_only: bool,
    votes: tuple[Path, ...],
) -> None:
    """Measure models against their base on cached utterances, and write a report.

    RUN_OR_MODEL is a run's name or folder (its best model is taken) or any model: a Hub id, a
    folder, builtin:NAME. With none, it is the newest run. An evaluation that was stopped goes on
    where it was when the same command is given again.
    """
    if votes:
        add_up(votes)
        return
    if report_only:
        refuse_measuring(context)
    from snac_common.devices import choose_workers
    from snac_eval.choose import Wanted
    from snac_eval.evaluate import evaluate
    from snac_eval.rebuild import rebuild
    from snac_eval.request import EvaluationRequest

    request = EvaluationRequest(
        models=models,
        base=base,
        artifacts=Artifacts.at(artifacts),
        codes=codes,
        manifest=manifest,
        name=name,
        split=split,
        limit=limit or None,
        segment_s=segment,
        perceptual=PERCEPTUAL if "all" in perceptual else tuple(dict.fromkeys(perceptual)),
        ceiling=ceiling,
        group_by=group_by,
        wanted=Wanted(samples, pick, where, ids),
        seed=seed,
        devices=choose_workers(device, gpus, workers),
        all_devices=workers is not None,
        max_reject_rate=max_reject_rate,
    )
    report = rebuild(request) if report_only else evaluate(request)
    say(report)
    rejected = sum(report.rejects.values())
    check_reject_rate(report.rejects, report.utterances - rejected, max_reject_rate)


def refuse_measuring(context: click.Context) -> None:
    """Raise BadInput if an option is given that ``--report-only`` cannot follow."""
    for name in OF_MEASURING:
        if context.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            raise BadInput(
                f"--{name} decides what is measured, and --report-only measures nothing: leave "
                "out one of the two."
            )


def say(report: "EvaluationReport") -> None:
    """Print the main figures and where the report is."""
    note(report.table)
    note(f"report: {report.page}")
    print_summary(
        report=str(report.page),
        metrics=str(report.metrics),
        utterances=report.utterances,
        rejects=report.rejects,
        samples=report.samples,
        losses=report.losses,
    )


def add_up(votes: tuple[Path, ...]) -> None:
    """Print the votes' sums."""
    from dataclasses import asdict

    from snac_eval.votes import count_votes, votes_table

    tallies = count_votes(votes)
    note(votes_table(tallies))
    print_summary(
        votes=[
            {**asdict(tally), "share": tally.share, "interval": tally.interval} for tally in tallies
        ]
    )


if __name__ == "__main__":
    main()
