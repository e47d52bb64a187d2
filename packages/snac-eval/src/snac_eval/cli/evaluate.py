"""``snac-eval``: measure models on cached utterances and write a report."""

from pathlib import Path

import click

from snac_common.artifacts import SPLITS, Artifacts
from snac_common.console import note, print_summary
from snac_common.options import artifacts_option, codes_option, device_option, manifest_option
from snac_common.tool import Tool

PERCEPTUAL = ("pesq", "stoi", "visqol_speech", "visqol_audio", "dnsmos")


@click.command(cls=Tool, example="snac-eval my-run --samples 6")
@click.argument("models", nargs=-1, metavar="[RUN_OR_MODEL]...")
@click.option("--base", metavar="MODEL", help="Compare with this. [default: the codes' own model]")
@artifacts_option
@codes_option
@manifest_option
@click.option("--name", help="Folder of the results below ARTIFACTS/eval. [default: the run's]")
@click.option("--split", type=click.Choice(SPLITS), default="val", help="Utterances to judge on.")
@click.option(
    "--limit",
    "--val-limit",
    "limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Judge N utterances only, chosen by a hash of their ids. [default: all]",
)
@click.option(
    "--segment",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Judge a segment of this length, from each utterance's start. [default: all of it]",
)
@click.option(
    "--perceptual",
    multiple=True,
    type=click.Choice([*PERCEPTUAL, "all"]),
    help="Compute this metric too, which needs snac-eval[perceptual]; may be given again.",
)
@click.option("--ceiling", is_flag=True, help="Judge the reference too: the best there can be.")
@click.option("--samples", type=click.IntRange(min=0), default=6, help="Utterances to listen to.")
@click.option(
    "--pick",
    type=click.Choice(["mixed", "best", "worst", "random"]),
    default="mixed",
    help="Which: by the first model's loss, or a third each of the worst, the best and others.",
)
@click.option("--where", metavar="SQL", help="Pick among those that meet a condition.")
@click.option("--id", "ids", multiple=True, metavar="ID", help="Listen to this one; repeatable.")
@click.option(
    "--seed", type=int, default=0, help="Of the decoder's noise, the resamples and the samples."
)
@device_option
@click.option("--gpus", metavar="0,1,...", help="One worker process on each of these GPUs.")
@click.option(
    "--workers", type=click.IntRange(1), help="CPU processes. [default: up to one a core]"
)
@click.option(
    "--votes",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Only add up the votes that a report's blind test saved; repeatable.",
)
def main(
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
    samples: int,
    pick: str,
    where: str | None,
    ids: tuple[str, ...],
    seed: int,
    device: str,
    gpus: str | None,
    workers: int | None,
    votes: tuple[Path, ...],
) -> None:
    """Measure models against their base on cached utterances, and write a report.

    RUN_OR_MODEL is a run's name or folder (its best model is taken) or any model: a Hub id, a
    folder, builtin:NAME. With none, it is the newest run.
    """
    if votes:
        add_up(votes)
        return
    from snac_common.devices import choose_workers
    from snac_eval.choose import Wanted
    from snac_eval.evaluate import EvaluationRequest, evaluate

    request = EvaluationRequest(
        models=models,
        base=base,
        artifacts=Artifacts.at(artifacts),
        codes=codes,
        manifest=manifest,
        name=name,
        split=split,
        limit=limit,
        segment_s=segment,
        perceptual=PERCEPTUAL if "all" in perceptual else tuple(dict.fromkeys(perceptual)),
        ceiling=ceiling,
        wanted=Wanted(samples, pick, where, ids),
        seed=seed,
        devices=choose_workers(device, gpus, workers),
        all_devices=workers is not None,
    )
    report = evaluate(request)
    note(report.table)
    note(f"report: {report.page}")
    print_summary(
        report=str(report.page),
        metrics=str(report.metrics),
        utterances=report.utterances,
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
