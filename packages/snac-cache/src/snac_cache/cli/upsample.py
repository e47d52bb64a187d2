"""``snac-upsample``: 48 kHz targets for what is not natively 48 kHz."""

import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import click

from snac_cache.cli.options import detach_option, rank_option
from snac_cache.targets.choice import (
    DEFAULT_PREPROCESSOR,
    ENGINES,
    FILES,
    RESAMPLE,
    SIDON,
    EngineChoice,
    GivenFolder,
)
from snac_cache.targets.request import TargetRequest
from snac_cache.work.cluster import choose_cluster
from snac_cache.work.detach import share, start_detached
from snac_cache.work.ranks import Rank, check_gpus, this_rank
from snac_common.artifacts import Artifacts
from snac_common.choices import FiniteRange
from snac_common.console import note, print_summary
from snac_common.errors import BadInput
from snac_common.files import check_writable
from snac_common.jobs import recorded
from snac_common.options import (
    Place,
    artifacts_option,
    check_not_empty,
    check_reject_rate,
    device_option,
    manifest_option,
    max_reject_rate_option,
    ray_option,
)
from snac_common.progress import progress
from snac_common.refresh import refresh
from snac_common.tool import Tool

COMMAND = "snac-upsample"
RETRY = "Once the cause is mended, --retry tries rows again that were rejected."
EXAMPLE = """snac-upsample --gpus 0,1,2,3
snac-upsample --engine resample --workers 4
snac-upsample --engine files --from ~/speech/audio_48khz
"""


@click.command(cls=Tool, example=EXAMPLE)
@artifacts_option
@manifest_option
@click.option(
    "-o",
    "--output",
    type=Place(path_type=str, allow_dash=True),
    metavar="DIR",
    help="Folder for the manifests with their targets, or - to write JSON lines to standard "
    "output. [default: the folder they came from]",
)
@click.option(
    "--targets",
    type=Place(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder for the targets that are made. [default: ARTIFACTS/audio48k]",
)
@click.option(
    "--shards",
    is_flag=True,
    help="Write the targets of each part into one tar, in place of a file each. A folder "
    "that has such tars goes on with them.",
)
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default=SIDON,
    help="Where 48 kHz audio comes from: Sidon, a model that restores speech; plain resampling, "
    "which adds nothing above the source's own band; or files that you have.",
)
@click.option(
    "--from",
    "folders",
    multiple=True,
    metavar="[SPLIT=]DIR",
    help="With --engine files: a folder of 48 kHz files, at the same relative paths as the "
    "sources; endings may differ. May be repeated, also as train=DIR and val=DIR. [default: the "
    "files in the manifest's column target_path]",
)
@click.option(
    "--correct",
    is_flag=True,
    help="With --engine files: correct a file's lag and gain instead of rejecting it.",
)
@click.option(
    "--sidon-feature-extractor",
    metavar="FILE",
    help="TorchScript file of Sidon's feature extractor. [default: the Hub's]",
)
@click.option(
    "--sidon-decoder",
    metavar="FILE",
    help="TorchScript file of Sidon's decoder. [default: the Hub's]",
)
@click.option(
    "--sidon-preprocessor",
    metavar="ID|DIR",
    default=DEFAULT_PREPROCESSOR,
    help="Sidon's preprocessor: a Hub id, or a folder with preprocessor_config.json.",
)
@click.option(
    "--max-lag",
    type=FiniteRange(0, 500),
    default=20.0,
    help="Largest lag that is corrected, in milliseconds; a target beyond it is rejected. Files "
    "may be too long or too short by as much.",
)
@device_option
@click.option("--gpus", metavar="0,1,...", help="Run one worker process on each of these GPUs.")
@click.option(
    "--workers", type=click.IntRange(1), help="Number of CPU processes. [default: one per core]"
)
@click.option(
    "--batch-seconds",
    type=FiniteRange(0, min_open=True),
    help="Seconds of audio in a batch of Sidon's. [default: 240 on a GPU, one file on a CPU]",
)
@click.option(
    "--part-rows",
    type=click.IntRange(1),
    help="Number of rows in a part, the unit in which work is finished. [default: a sixteenth of "
    "the split, between 32 and 4096]",
)
@click.option("--retry", is_flag=True, help="Try again the rows that were rejected.")
@click.option(
    "--verify",
    is_flag=True,
    help="Decode every finished target, and make damaged ones again.",
)
@rank_option
@ray_option
@detach_option
@max_reject_rate_option
def main(
    *,
    artifacts: Path | None,
    manifest: str | None,
    output: str | None,
    targets: Path | None,
    shards: bool,
    engine: str,
    folders: tuple[str, ...],
    correct: bool,
    sidon_feature_extractor: str | None,
    sidon_decoder: str | None,
    sidon_preprocessor: str,
    max_lag: float,
    device: str,
    gpus: str | None,
    workers: int | None,
    batch_seconds: float | None,
    part_rows: int | None,
    retry: bool,
    verify: bool,
    rank: str | None,
    ray: str | None,
    detach: bool,
    max_reject_rate: float,
) -> None:
    """Give every utterance a 48 kHz target, and verify that it is aligned with its source.

    A source at 48 kHz is its own target, and one above 48 kHz is resampled. For a source below
    48 kHz the target comes from the engine. The lag and gain of each target against its source are
    measured and corrected, and the source's true bandwidth is measured. With --engine files you
    give the targets yourself: files that fit are used in place, and your files are never changed.

    Run it again after any interruption: finished work is kept. Several processes may share the
    work, on one machine or several: under torchrun, accelerate launch or srun, in a Slurm array, or
    with --rank. With --ray they run on a cluster, and machines may join and leave it.
    """
    for option, given in (("--from", bool(folders)), ("--correct", correct)):
        if given and engine != FILES:
            raise BadInput(f"{option} is for --engine files: give both, or neither")
    given_folders = tuple(map(GivenFolder.parse, folders))
    from snac_cache.work.workers import prepare_workers

    shared = this_rank(rank)
    check_gpus(gpus, shared)
    cluster = choose_cluster(ray, gpus, workers, shared)
    places = Artifacts.at(artifacts)
    made = targets or places.audio48k
    where = manifest or str(places.manifests)
    check_writable(made)
    refresh(where, made)
    if detach:
        print_summary(**start_detached(COMMAND, sys.argv[1:], made, places.root, shared))
        return
    if shared.world == 1 and workers != 1 and not cluster:
        prepare_workers("snac_cache.targets.make_parts")  # takes seconds, like the next imports

    from snac_cache.schema import TARGET_RATE
    from snac_cache.store.resolve import manifest_rows
    from snac_cache.targets.build import local_engine, make_targets, remarks
    from snac_cache.targets.output import other_rejects, output_folder, write_filled_in
    from snac_cache.targets.place import has_shards
    from snac_cache.targets.prepare import check_names_targets
    from snac_cache.work.engine import LocalEngine, ray_engine

    folder = output_folder(where, output, places.manifests)
    refresh(folder)
    other_rejects(folder)  # found out now, not when all is done
    rows = manifest_rows(where)
    if engine == FILES and not folders:
        check_names_targets(rows)
    request = TargetRequest(
        folder=made,
        engine=EngineChoice(
            engine,
            sidon_feature_extractor,
            sidon_decoder,
            sidon_preprocessor,
            batch_seconds,
            given_folders,
            correct,
        ),
        max_lag=round(max_lag / 1000 * TARGET_RATE),
        devices=[],
        part_rows=part_rows,
        rank=shared,
        retry=retry,
        verify=verify,
        shards=shards or has_shards(made),
    )
    total = sum(table.num_rows for table in rows.values())
    check_not_empty(total, "upsample", f"the manifest {where} has no utterance.")

    def here() -> LocalEngine:
        return local_engine(_devices(engine, device, gpus, workers, shared))

    on = "cpu" if engine in (RESAMPLE, FILES) else device
    with recorded(COMMAND, made, share(shared)) as work:
        with (
            ray_engine(cluster, made, on) if cluster else nullcontext(here()) as running,
            progress(total, "upsample", "utterances") as advance,
        ):
            request = replace(request, devices=running.devices)
            report = make_targets(rows, request, advance, work, running)
        piped = output == "-"
        if report.filled:
            write_filled_in(report.filled, folder, sys.stdout if piped else None)
            note(f"targets in {request.folder}, {'rejects' if piped else 'manifests'} in {folder}")
        else:
            note(f"{report.parts_left} parts are left: manifests are written when all are finished")
        for line in remarks(report, request):
            note(line)
        print_summary(
            to_stderr=piped,
            targets=report.targets,
            native=report.native,
            given=report.given,
            made=report.made,
            skipped=report.skipped,
            clipped=report.clipped,
            rejects=dict(sorted(report.rejects.items())),
            engine=engine,
            workers=request.devices,
            parts_left_to_other_ranks=report.parts_left,
        )
        check_reject_rate(
            report.rejects,
            report.targets,
            max_reject_rate,
            where=folder / "rejects.parquet",
            advice=RETRY,
        )


def _devices(
    engine: str, device: str, gpus: str | None, workers: int | None, shared: Rank
) -> list[str]:
    """Return the device of each worker; without Sidon all of it is work for the CPU."""
    from snac_common.devices import choose_workers

    if engine in (RESAMPLE, FILES):
        if gpus is not None or device == "cuda":
            note(f"--engine {engine} computes on the CPU, whatever --gpus and --device say")
        device, gpus = "cpu", None
    return choose_workers(device, gpus, workers, local_rank=shared.local, alone=not shared.launched)


if __name__ == "__main__":
    main()
