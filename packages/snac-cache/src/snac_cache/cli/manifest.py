"""``snac-manifest``: scan audio headers, assign splits, write the manifests."""

import re
import sys
from pathlib import Path

import click

from snac_common.artifacts import Artifacts
from snac_common.console import note, print_summary
from snac_common.options import artifacts_option, check_reject_rate, max_reject_rate_option
from snac_common.progress import progress
from snac_common.tool import Tool

EXAMPLE = r"""snac-manifest ~/speech/alice ~/speech/bob --min-duration 0.5
snac-manifest ~/librispeech --group-by "^[^/]*/(\d+)/" -o - | shuf -n 1000 > some.jsonl
"""


class Pattern(click.ParamType):
    """A regular expression."""

    name = "regex"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> re.Pattern[str]:
        """Compile it, or say what is wrong with it."""
        try:
            return re.compile(value)
        except re.error as error:
            self.fail(f"{value!r} is not a regular expression: {error}", param, ctx)


@click.command(cls=Tool, example=EXAMPLE)
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    help="Folder for the manifests, or - for JSON lines. [default: ARTIFACTS/manifests]",
)
@artifacts_option
@click.option(
    "--val-ratio",
    type=click.FloatRange(0, 1),
    default=0.05,
    help="Share of utterances for validation, from 0 to 1.",
)
@click.option(
    "--group-by",
    type=Pattern(),
    help="What this finds in an id (its first group, if it has one) is hashed in place of the id, "
    "so that a speaker stays in one split.",
)
@click.option("--min-duration", default=1.0, help="Seconds; shorter files are rejected.")
@click.option("--max-duration", type=float, help="Seconds; longer files are rejected.")
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=8,
    help="Threads that read headers; more where the files lie behind a network.",
)
@max_reject_rate_option
def main(
    *,
    sources: tuple[Path, ...],
    output: str | None,
    artifacts: Path | None,
    val_ratio: float,
    group_by: re.Pattern[str] | None,
    min_duration: float,
    max_duration: float | None,
    workers: int,
    max_reject_rate: float,
) -> None:
    """Scan SOURCES, folders of audio, and write one manifest row a file.

    A source that holds train/ and val/ (or valid/, validation/, dev/) keeps its splits; any other
    is split by a hash of each path within it, so files added later never change the split of
    existing ones. Ids start with the name of their source. Every file that is left out is a row of
    rejects.parquet with its reason.
    """
    from collections import Counter

    from snac_cache.manifests.json_lines import write_json_lines
    from snac_cache.manifests.scan import Durations, scan
    from snac_cache.manifests.splits import Grouping
    from snac_cache.manifests.write import write_manifest
    from snac_cache.work.lock import working_in
    from snac_common.files import check_writable, clear_leftovers

    folder = Artifacts.at(artifacts).manifests if output in (None, "-") else Path(str(output))
    check_writable(folder)
    grouping = Grouping(group_by) if group_by else None
    with progress(None, "scan", "files") as advance:
        found = scan(
            list(sources),
            val_ratio=val_ratio,
            durations=Durations(min_duration, max_duration),
            grouping=grouping,
            workers=workers,
            advance=advance,
        )
    if grouping and grouping.unmatched:
        note(f"--group-by found nothing in {grouping.unmatched} ids: each is a group of its own")
    reasons = Counter(found.rejects.column("reason").to_pylist())
    piped = output == "-"
    with working_in(folder, "snac-manifest"):
        clear_leftovers(folder)
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
    rejects = folder / "rejects.parquet"
    check_reject_rate(reasons, found.num_rows, max_reject_rate, where=rejects)


if __name__ == "__main__":
    main()
