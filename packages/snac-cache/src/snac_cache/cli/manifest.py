"""``snac-manifest``: scan audio headers, assign splits, write the manifests."""

import sys
from pathlib import Path

import click

from snac_model.artifacts import Artifacts
from snac_model.console import (
    Tool,
    artifacts_option,
    check_reject_rate,
    max_reject_rate_option,
    note,
    print_summary,
    progress,
)


@click.command(
    cls=Tool,
    example="snac-manifest ~/speech/alice ~/speech/bob --min-duration 0.5",
)
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    help="Folder for the manifests, or - for JSON lines. [default: ARTIFACTS/manifests]",
)
@artifacts_option
@click.option("--val-ratio", default=0.05, help="Share of utterances for validation.")
@click.option("--min-duration", default=1.0, help="Seconds; shorter files are rejected.")
@click.option("--workers", default=8, help="Threads that read headers.")
@max_reject_rate_option
def main(
    *,
    sources: tuple[Path, ...],
    output: str | None,
    artifacts: Path | None,
    val_ratio: float,
    min_duration: float,
    workers: int,
    max_reject_rate: float,
) -> None:
    """Scan SOURCES, folders of audio, and write one manifest row a file.

    A source that holds train/ and val/ (or valid/, validation/, dev/) keeps its splits; any other
    is split by a hash of each id, so that adding files never moves old ones. Every file that is
    left out is a row of rejects.parquet with its reason.
    """
    from collections import Counter

    from snac_cache.manifest import write_json_lines, write_manifest
    from snac_cache.scan import scan

    with progress(None, "scan", "files") as advance:
        found = scan(
            list(sources),
            val_ratio=val_ratio,
            min_duration=min_duration,
            workers=workers,
            advance=advance,
        )
    reasons = Counter(found.rejects.column("reason").to_pylist())
    folder = Artifacts.at(artifacts).manifests if output in (None, "-") else Path(str(output))
    piped = output == "-"
    write_manifest({} if piped else found.rows, found.rejects, folder)
    if piped:
        write_json_lines(found.rows.values(), sys.stdout)
    note(f"{'rejects' if piped else 'manifests'} in {folder}")
    print_summary(
        to_stderr=piped,
        **{split: table.num_rows for split, table in found.rows.items()},
        hours=round(found.hours, 3),
        rejects=dict(reasons),
    )
    check_reject_rate(reasons.total(), found.num_rows, max_reject_rate)


if __name__ == "__main__":
    main()
