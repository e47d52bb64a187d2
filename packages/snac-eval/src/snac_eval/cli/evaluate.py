"""``snac-eval``: measure models on cached utterances and write a report."""

from pathlib import Path

import click

from snac_model.artifacts import SPLITS, Artifacts
from snac_model.console import (
    Tool,
    artifacts_option,
    codes_option,
    device_option,
    note,
    print_summary,
)


@click.command(cls=Tool, example="snac-eval my-run --samples 6")
@click.argument("models", nargs=-1, metavar="[RUN_OR_MODEL]...")
@click.option("--base", metavar="MODEL", help="Compare with this. [default: the codes' own model]")
@artifacts_option
@codes_option
@click.option("--name", help="Folder of the results below ARTIFACTS/eval. [default: the run's]")
@click.option("--split", type=click.Choice(SPLITS), default="val", help="Utterances to judge on.")
@click.option(
    "--limit",
    "--val-limit",
    "limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Judge the first N utterances only. [default: all]",
)
@click.option(
    "--samples",
    type=click.IntRange(min=0),
    default=4,
    help="Utterances to look at and listen to in the report.",
)
@click.option(
    "--seed", type=int, default=0, help="Of the decoder's noise and the choice of samples."
)
@device_option
def main(
    *,
    models: tuple[str, ...],
    base: str | None,
    artifacts: Path | None,
    codes: Path | None,
    name: str | None,
    split: str,
    limit: int | None,
    samples: int,
    seed: int,
    device: str,
) -> None:
    """Measure models against their base on cached utterances, and write a report.

    RUN_OR_MODEL is a run's name or folder (its best model is taken) or any model: a Hub id, a
    folder, builtin:NAME. With none, it is the newest run.
    """
    from snac_eval.evaluate import EvaluationRequest, evaluate
    from snac_model.devices import choose_device

    request = EvaluationRequest(
        models=models,
        base=base,
        artifacts=Artifacts.at(artifacts),
        codes=codes,
        name=name,
        split=split,
        limit=limit,
        samples=samples,
        seed=seed,
        device=choose_device(device),
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


if __name__ == "__main__":
    main()
