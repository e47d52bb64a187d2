"""``snac-manifest``: scan audio headers, assign splits, write the manifests."""

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from snac_cache.cli.options import limit_options
from snac_common.addresses import LISTED
from snac_common.artifacts import Artifacts
from snac_common.choices import FiniteRange
from snac_common.console import note, print_summary
from snac_common.errors import BadInput
from snac_common.options import Place, artifacts_option, check_reject_rate, max_reject_rate_option
from snac_common.progress import progress
from snac_common.refresh import refresh
from snac_common.tool import Tool

if TYPE_CHECKING:
    from snac_cache.manifests.splits import Grouping
    from snac_cache.sources.scan import Scan

FORMS = ("folder", "webdataset", "parquet", "kaldi", "nemo", "lhotse", "table")
EXAMPLE = r"""snac-manifest ~/speech/alice ~/speech/bob --min-duration 0.5
snac-manifest --train ~/speech/train/audio --val ~/speech/valid/audio
snac-manifest ~/mls_sidon ~/calls/data/train ~/cv/validated.tsv --column accent=accents
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
@click.argument("sources", nargs=-1, type=Place(below=LISTED, path_type=Path))
@click.option(
    "--train",
    multiple=True,
    type=Place(below=LISTED, path_type=Path),
    metavar="DIR",
    help="Source whose audio is all for training; may be repeated.",
)
@click.option(
    "--val",
    multiple=True,
    type=Place(below=LISTED, path_type=Path),
    metavar="DIR",
    help="Source whose audio is all for validation; may be repeated.",
)
@click.option(
    "-o",
    "--output",
    type=Place(path_type=str, allow_dash=True),
    metavar="DIR",
    help="Folder for the manifests, or - to write JSON lines to standard output. "
    "[default: ARTIFACTS/manifests]",
)
@click.option(
    "--overwrite",
    is_flag=True,
    help="Replace manifests that are of another corpus, or that have columns of your own.",
)
@artifacts_option
@click.option(
    "--val-ratio",
    type=FiniteRange(0, 1),
    default=0.05,
    help="Share of the files for validation, from 0 to 1, in sources without splits of their own. "
    "At least one file is taken of two or more; with 0, none is.",
)
@click.option(
    "--group-by",
    type=Pattern(),
    help="Regular expression that finds the speaker (its first group) in an id, so that no speaker "
    "is in both splits.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    help="What all sources are. [default: told by each of them]",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME=COLUMN",
    help="Which column of the sources says what, where its name does not: id, audio, text, "
    "speaker, language, split, start, end, duration, or a new name. Nothing behind = takes none. "
    "May be repeated.",
)
@click.option("--min-duration", default=1.0, help="Reject files that are shorter, in seconds.")
@click.option("--max-duration", type=float, help="Reject files that are longer, in seconds.")
@limit_options("List")
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=8,
    help="Number of threads that read headers. Give more for files on a network disk.",
)
@max_reject_rate_option
def main(
    *,
    sources: tuple[Path, ...],
    train: tuple[Path, ...],
    val: tuple[Path, ...],
    output: str | None,
    overwrite: bool,
    artifacts: Path | None,
    val_ratio: float,
    group_by: re.Pattern[str] | None,
    form: str | None,
    columns: tuple[str, ...],
    min_duration: float,
    max_duration: float | None,
    limit: int,
    val_limit: int,
    workers: int,
    max_reject_rate: float,
) -> None:
    """Scan SOURCES of audio, and write one manifest row for each utterance.

    A source is a folder of audio files, or a corpus in another form, a folder or a file of it:
    WebDataset tars, parquet with audio in it, a Kaldi folder, NeMo or lhotse manifests, or a table
    (csv, tsv, JSON lines) with a column of paths. Audio stays where it is; text, speaker, language
    and all other columns come along.

    A source that holds train/ and val/ (or valid/, validation/, dev/) keeps its splits. Any other
    is split by a hash of each file's path within it, so files that are added later do not change
    the split of existing ones. With --train and --val you name the folders of the splits yourself.

    Ids start with the name of their source. Every file that is left out is a row of
    rejects.parquet with its reason. A folder such as audio_48khz beside audio, with the same file
    names, holds 48 kHz targets: it is not scanned, and the command says how to use it.
    """
    from collections import Counter

    from snac_cache.manifests.json_lines import write_json_lines
    from snac_cache.manifests.limit import samples
    from snac_cache.manifests.sources import named_sources
    from snac_cache.manifests.splits import Grouping
    from snac_cache.manifests.write import write_manifest
    from snac_cache.sources.columns import Columns
    from snac_cache.sources.inspect import Durations
    from snac_cache.sources.listed import listed
    from snac_cache.sources.replaced import check_replaceable
    from snac_cache.sources.scan import scan
    from snac_cache.work.lock import working_in
    from snac_common.files import check_writable, clear_leftovers

    if not (sources or train or val):
        raise BadInput("name a source of audio; or folders for both splits, --train DIR --val DIR")
    folder = Artifacts.at(artifacts).manifests if output in (None, "-") else Path(output)
    piped = output == "-"
    check_writable(folder)
    refresh(folder)
    grouping = Grouping(group_by) if group_by else None
    with listed([*sources, *train, *val]), progress(None, "scan", "files") as advance:
        named = named_sources(sources, train, val)
        if not piped and not overwrite:
            check_replaceable(folder, named, form)
        found = scan(
            named,
            val_ratio=val_ratio,
            durations=Durations(min_duration, max_duration),
            grouping=grouping,
            workers=workers,
            advance=advance,
            form=form,
            columns=Columns.of(columns),
        )
    found.rows = samples(found.rows, limit, val_limit)
    _say_what_was_found(found, grouping)
    reasons = Counter(found.rejects.column("reason").to_pylist())
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
        target_folders=list(map(str, found.target_folders)),
    )
    rejects = folder / "rejects.parquet"
    check_reject_rate(reasons, found.num_rows, max_reject_rate, where=rejects)


def _say_what_was_found(found: "Scan", grouping: "Grouping | None") -> None:
    if grouping and grouping.unmatched:
        note(f"--group-by found nothing in {grouping.unmatched} ids: each is a group of its own")
    if found.num_rows and not found.rows["val"].num_rows:
        note(
            f"of {found.num_rows} utterances none is for validation, which training needs: give "
            "--val-ratio above 0, more files, or --val DIR"
        )
    if found.target_folders:
        folders = " ".join(f"--from {shlex.quote(str(path))}" for path in found.target_folders)
        note(
            f"not scanned, for they hold the audio of the folders beside them at 48 kHz: "
            f"{', '.join(map(str, found.target_folders))}. To use them as targets: snac-upsample "
            f"--engine files {folders}. If they are other speech, name them as SOURCES alone."
        )


if __name__ == "__main__":
    main()
