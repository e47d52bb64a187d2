"""``snac-cache``: encode the manifests to codes."""

from pathlib import Path

import click

from snac_model.artifacts import Artifacts
from snac_model.console import (
    Tool,
    artifacts_option,
    check_reject_rate,
    device_option,
    max_reject_rate_option,
    note,
    print_summary,
    progress,
)
from snac_model.places import DEFAULT_MODEL


@click.command(cls=Tool, example="snac-cache --model builtin:tiny --device cpu --workers 2")
@artifacts_option
@click.option(
    "--manifest",
    metavar="PATH",
    help="Folder of manifests, one file, or - for JSON lines. [default: ARTIFACTS/manifests]",
)
@click.option(
    "--codes",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the codes go. [default: ARTIFACTS/codes]",
)
@click.option("--model", default=DEFAULT_MODEL, help="Hub id, folder, or builtin:NAME.")
@device_option
@click.option("--workers", type=click.IntRange(1), help="CPU processes. [default: one a core]")
@click.option(
    "--part-rows",
    type=click.IntRange(1),
    help="Rows in a part. [default: a 16th of the split, 32 to 4096]",
)
@click.option("--limit", type=click.IntRange(0), help="Only the first N train rows.")
@click.option("--val-limit", type=click.IntRange(0), help="Only the first N val rows.")
@click.option("--overwrite", is_flag=True, help="Delete the cache that is there.")
@max_reject_rate_option
def main(
    *,
    artifacts: Path | None,
    manifest: str | None,
    codes: Path | None,
    model: str,
    device: str,
    workers: int | None,
    part_rows: int | None,
    limit: int | None,
    val_limit: int | None,
    overwrite: bool,
    max_reject_rate: float,
) -> None:
    """Encode every utterance of the manifests once, into parquet that DuckDB queries.

    Run again after an interruption: finished parts are kept. Files that cannot be encoded are rows
    of codes/rejects with their reason.
    """
    from snac_cache.build import CacheRequest, build_cache
    from snac_cache.manifest import read_manifest
    from snac_model.devices import available_cores, choose_device

    places = Artifacts.at(artifacts)
    rows = read_manifest(manifest or places.manifests)
    rows = {"train": rows["train"].slice(0, limit), "val": rows["val"].slice(0, val_limit)}
    chosen = choose_device(device)
    request = CacheRequest(
        folder=codes or places.codes,
        model=model,
        device=chosen,
        workers=(workers or available_cores()) if chosen == "cpu" else 1,
        part_rows=part_rows,
        overwrite=overwrite,
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
        token_agreement=report.agreement.share,
        device=chosen,
    )
    check_reject_rate(report.rejects.total(), report.rows, max_reject_rate)


if __name__ == "__main__":
    main()
