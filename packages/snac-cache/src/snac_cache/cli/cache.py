"""``snac-cache``: encode the manifests to codes."""

from pathlib import Path

import click

from snac_cache.encoding.request import CacheRequest, Precision
from snac_cache.work.ranks import this_rank
from snac_model.artifacts import Artifacts
from snac_model.console import (
    Tool,
    artifacts_option,
    check_reject_rate,
    codes_option,
    device_option,
    manifest_option,
    max_reject_rate_option,
    model_option,
    note,
    print_summary,
    progress,
)


@click.command(cls=Tool, example="snac-cache --gpus 0,1,2,3")
@artifacts_option
@manifest_option
@codes_option
@model_option
@device_option
@click.option("--gpus", metavar="0,1,...", help="One worker process on each of these GPUs.")
@click.option("--workers", type=click.IntRange(1), help="CPU processes. [default: one a core]")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "tf32", "bf16"]),
    default="fp32",
    help="Of the encoder; the share of tokens equal to fp32 is measured.",
)
@click.option(
    "--part-rows",
    type=click.IntRange(1),
    help="Rows in a part. [default: a 16th of the split, 32 to 4096]",
)
@click.option("--limit", type=click.IntRange(0), help="Only the first N train rows.")
@click.option("--val-limit", type=click.IntRange(0), help="Only the first N val rows.")
@click.option("--overwrite", is_flag=True, help="Delete the cache that is there.")
@click.option("--append", is_flag=True, help="Encode only ids that the cache does not hold.")
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
    part_rows: int | None,
    limit: int | None,
    val_limit: int | None,
    overwrite: bool,
    append: bool,
    max_reject_rate: float,
) -> None:
    """Encode every utterance of the manifests once, into parquet that DuckDB queries.

    Run again after an interruption: finished parts are verified and kept. Files that cannot be
    encoded are rows of codes/rejects with their reason. Under torchrun, accelerate launch or srun,
    the processes share the parts, on one machine or on several.
    """
    from snac_cache.work.workers import prepare_workers

    rank = this_rank()
    if rank.world == 1 and workers != 1:
        prepare_workers(
            "snac_cache.encoding.encode_parts"
        )  # takes seconds, and so do the next imports

    from snac_cache.encoding.build import build_cache
    from snac_cache.manifests.manifest import read_manifest
    from snac_model.devices import choose_workers

    places = Artifacts.at(artifacts)
    rows = read_manifest(manifest or places.manifests)
    rows = {"train": rows["train"].slice(0, limit), "val": rows["val"].slice(0, val_limit)}
    request = CacheRequest(
        folder=codes or places.codes,
        model=model,
        devices=choose_workers(device, gpus, workers, local_rank=rank.local, alone=rank.world == 1),
        precision=precision,
        part_rows=part_rows,
        rank=rank,
        overwrite=overwrite,
        append=append,
    )
    total = sum(table.num_rows for table in rows.values())
    with progress(total, "encode", "utterances") as advance:
        report = build_cache(rows, request, advance)
    note(f"codes in {request.folder}")
    print_summary(
        rows=report.rows,
        skipped_rows=report.skipped_rows,
        hours=round(report.audio_seconds / 3600, 3),
        rejects=dict(report.rejects),
        audio_seconds_per_second=round(report.audio_seconds / report.wall_seconds, 1),
        token_agreement=report.token_agreement,
        workers=request.devices,
        parts_left_to_other_ranks=report.parts_left,
    )
    check_reject_rate(report.rejects.total(), report.rows, max_reject_rate)


if __name__ == "__main__":
    main()
