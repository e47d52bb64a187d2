"""``snac-upsample``: 48 kHz targets for what is not natively 48 kHz."""

import sys
from pathlib import Path

import click

from snac_model.artifacts import Artifacts
from snac_model.console import (
    Tool,
    artifacts_option,
    check_reject_rate,
    device_option,
    manifest_option,
    max_reject_rate_option,
    note,
    print_summary,
    progress,
)


@click.command(cls=Tool, example="snac-upsample --engine resample --device cpu --workers 4")
@artifacts_option
@manifest_option
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    help="Folder for the manifests with their targets, or - for JSON lines. [default: in place]",
)
@click.option(
    "--targets",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the audio goes. [default: ARTIFACTS/audio48k]",
)
@click.option("--engine", type=click.Choice(["sidon", "resample"]), default="sidon")
@click.option("--sidon-feature-extractor", metavar="FILE", help="TorchScript. [default: the Hub's]")
@click.option("--sidon-decoder", metavar="FILE", help="TorchScript. [default: the Hub's]")
@click.option(
    "--sidon-preprocessor",
    metavar="ID|DIR",
    default="facebook/w2v-bert-2.0",
    help="Hub id, or folder with preprocessor_config.json.",
)
@click.option(
    "--max-lag",
    type=click.FloatRange(0, 500),
    default=20.0,
    help="Milliseconds; a lag up to that is corrected, beyond it the target is rejected.",
)
@device_option
@click.option("--workers", type=click.IntRange(1), help="CPU processes. [default: one a core]")
@max_reject_rate_option
def main(
    *,
    artifacts: Path | None,
    manifest: str | None,
    output: str | None,
    targets: Path | None,
    engine: str,
    sidon_feature_extractor: str | None,
    sidon_decoder: str | None,
    sidon_preprocessor: str,
    max_lag: float,
    device: str,
    workers: int | None,
    max_reject_rate: float,
) -> None:
    """Make a 48 kHz target for every utterance, proved to lie where its source lies.

    A source at 48 kHz is its own target, one above is resampled down, and one below goes through
    the engine. Lag and gain of each target against its source are measured and corrected; the
    source's true bandwidth is measured too. Run again: finished targets are kept.
    """
    from snac_cache.manifests.read import read_manifest
    from snac_cache.schema import TARGET_RATE
    from snac_cache.targets.build import TargetRequest, make_targets
    from snac_cache.targets.engines import EngineChoice
    from snac_cache.targets.manifests import output_folder, write_targets
    from snac_model.devices import available_cores, choose_device

    places = Artifacts.at(artifacts)
    where = manifest or str(places.manifests)
    folder = output_folder(where, output, places.manifests)
    rows = read_manifest(where)
    chosen = choose_device(device)
    request = TargetRequest(
        folder=targets or places.audio48k,
        engine=EngineChoice(
            engine, chosen, sidon_feature_extractor, sidon_decoder, sidon_preprocessor
        ),
        max_lag=round(max_lag / 1000 * TARGET_RATE),
        workers=(workers or available_cores()) if chosen == "cpu" else 1,
    )
    total = sum(table.num_rows for table in rows.values())
    with progress(total, "upsample", "utterances") as advance:
        report = make_targets(rows, request, advance)
    piped = output == "-"
    write_targets(report, folder, sys.stdout if piped else None)
    note(f"targets in {request.folder}, {'rejects' if piped else 'manifests'} in {folder}")
    print_summary(
        to_stderr=piped, targets=report.targets, **report.summary(), engine=engine, device=chosen
    )
    check_reject_rate(report.rejects.num_rows, report.targets, max_reject_rate)


if __name__ == "__main__":
    main()
