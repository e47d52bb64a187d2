"""``snac-cache``: encode the manifests to codes."""

import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from snac_cache.cli.options import detach_option, limit_options, rank_option
from snac_cache.encoding.request import GPU_BATCH_SECONDS, CacheRequest, Precision
from snac_cache.work.cluster import choose_cluster
from snac_cache.work.detach import share, start_detached
from snac_cache.work.ranks import check_gpus, this_rank
from snac_common.artifacts import Artifacts
from snac_common.choices import FiniteRange
from snac_common.console import note, print_summary
from snac_common.errors import BadInput
from snac_common.files import check_writable
from snac_common.jobs import recorded
from snac_common.options import (
    artifacts_option,
    check_not_empty,
    check_reject_rate,
    codes_option,
    device_option,
    manifest_option,
    max_reject_rate_option,
    model_option,
    ray_option,
)
from snac_common.progress import progress
from snac_common.refresh import refresh
from snac_common.tool import Tool

if TYPE_CHECKING:
    from snac_cache.encoding.build import CacheReport

COMMAND = "snac-cache"
EXAMPLE = """snac-cache --gpus 0,1,2,3
snac-manifest ~/speech -o - | shuf -n 1000 | snac-cache --manifest -
"""
RETRY = "Once the cause is mended, --retry encodes parts that hold rejects again."


@click.command(cls=Tool, example=EXAMPLE)
@artifacts_option
@manifest_option
@codes_option
@model_option
@device_option
@click.option(
    "--gpus",
    metavar="0,1,...",
    help="Start one worker process on each of these GPUs. [default: one GPU, if there is one]",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    help="Number of processes, on a CPU. [default: one for each core]",
)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "tf32", "bf16"]),
    default="fp32",
    help="Arithmetic of the encoder. tf32 and bf16 are faster on a GPU, and some tokens differ "
    "from those of fp32: a sample is always encoded again in fp32, and snac-check fails if less "
    "than 99 % of its tokens are equal.",
)
@click.option(
    "--read-threads",
    type=click.IntRange(1),
    metavar="N",
    help="Number of threads with which each worker reads audio ahead. [default: its share of the "
    "cores]",
)
@click.option(
    "--batch-seconds",
    type=FiniteRange(1),
    metavar="SECONDS",
    default=GPU_BATCH_SECONDS,
    help="Most seconds of audio that a GPU encodes at once. If memory does not suffice, batches "
    "become smaller by themselves.",
)
@click.option(
    "--part-rows",
    type=click.IntRange(1),
    metavar="N",
    help="Number of utterances in a part, which is encoded as a whole. [default: a 16th of the "
    "split, 32 to 4096]",
)
@limit_options("Encode")
@click.option("--overwrite", is_flag=True, help="Delete the cache that is there, and start anew.")
@click.option(
    "--append",
    is_flag=True,
    help="Encode the utterances that the manifest has in addition to those of the cache.",
)
@click.option("--retry", is_flag=True, help="Encode parts that hold rejects again.")
@click.option(
    "--verify",
    is_flag=True,
    help="Read finished parts to their last byte, and encode those again that are damaged.",
)
@rank_option
@ray_option
@detach_option
@max_reject_rate_option
def main(
    *,
    artifacts: Path | None,
    manifest: str | None,
    codes: Path | None,
    model: str,
    device: str,
    gpus: str | None,
    workers: int | None,
    precision: Precision,
    read_threads: int | None,
    batch_seconds: float,
    part_rows: int | None,
    limit: int,
    val_limit: int,
    overwrite: bool,
    append: bool,
    retry: bool,
    verify: bool,
    rank: str | None,
    ray: str | None,
    detach: bool,
    max_reject_rate: float,
) -> None:
    """Encode every utterance of the manifests once, into parquet files that DuckDB can query.

    After an interruption, give the same command again: finished parts are kept. If the manifest
    has changed since, only parts whose audio was replaced are encoded again. Each file that cannot
    be encoded is a row of codes/rejects with its reason.

    Several processes share the work under torchrun, accelerate launch or srun, in a Slurm array, or
    with --rank, on one machine or on several. With --ray they run on a cluster, and machines may
    join and leave it.
    """
    from snac_cache.work.workers import prepare_workers

    if overwrite and append:
        raise BadInput("--overwrite begins the cache again, and --append adds to it: give one")
    shared = this_rank(rank)
    check_gpus(gpus, shared)
    cluster = choose_cluster(ray, gpus, workers, shared)
    places = Artifacts.at(artifacts)
    folder = codes or places.codes
    where = manifest or str(places.manifests)
    check_writable(folder)
    refresh(where, folder)
    if detach:
        started = start_detached(COMMAND, sys.argv[1:], folder, places.root, shared)
        print_summary(**started)
        return
    if shared.world == 1 and workers != 1 and not cluster:
        prepare_workers("snac_cache.encoding.encode_parts")  # takes seconds, like what follows

    from snac_cache.encoding.build import build_cache
    from snac_cache.manifests.limit import samples
    from snac_cache.store.resolve import manifest_rows
    from snac_cache.work.engine import LocalEngine, ray_engine
    from snac_common.devices import choose_workers, reading_threads

    rows = samples(manifest_rows(where), limit, val_limit)
    total = sum(table.num_rows for table in rows.values())
    check_not_empty(total, "encode", f"the manifest {where} has no utterance.")

    def here() -> LocalEngine:
        devices = choose_workers(
            device, gpus, workers, local_rank=shared.local, alone=not shared.launched
        )
        return LocalEngine(devices, reading_threads(len(devices) * shared.local_world))

    request = CacheRequest(
        folder=folder,
        model=model,
        devices=[],
        precision=precision,
        part_rows=part_rows,
        rank=shared,
        overwrite=overwrite,
        append=append,
        retry=retry,
        verify=verify,
        batch_seconds=batch_seconds,
    )
    with recorded(COMMAND, folder, share(shared)) as work:
        with (
            ray_engine(cluster, folder, device) if cluster else nullcontext(here()) as running,
            progress(total, "encode", "utterances") as advance,
        ):
            threads = read_threads or running.threads
            request = replace(request, devices=running.devices, read_threads=threads)
            report = build_cache(rows, request, advance, work, running)
        say(report, request)
        rejects = folder / "rejects"
        check_reject_rate(
            report.rejects, report.cached, max_reject_rate, where=rejects, advice=RETRY
        )


def say(report: "CacheReport", request: CacheRequest) -> None:
    """Print where the codes are, and the summary."""
    note(f"codes in {request.folder}")
    print_summary(
        rows=report.rows,
        skipped_rows=report.skipped_rows,
        cached_rows=report.cached,
        hours=round(report.audio_seconds / 3600, 3),
        rejects=dict(report.rejects),
        audio_seconds_per_second=round(report.audio_seconds / report.wall_seconds, 1),
        token_agreement=report.token_agreement,
        workers=request.devices,
        parts_left_to_other_ranks=report.parts_left,
    )


if __name__ == "__main__":
    main()
