"""``snac-tokens``: cached codes to rows that a language model trains on."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from snac_cache.cli.options import limit_options
from snac_common.artifacts import Artifacts
from snac_common.console import note, print_summary
from snac_common.errors import BadInput
from snac_common.options import (
    Place,
    artifacts_option,
    check_reject_rate,
    manifest_option,
    max_reject_rate_option,
)
from snac_common.refresh import refresh
from snac_common.tool import Tool

if TYPE_CHECKING:
    from snac_cache.rows.request import RowsReport, RowsRequest
    from snac_model.tokens.layout import TokenLayout

EXAMPLE = """snac-tokens -o rows --tokenizer canopylabs/orpheus-3b-0.1-pretrained --max-tokens 2048
snac-tokens -o rows --prompt "{speaker}: {text}" --where "language = 'de' AND duration_s < 20"
"""


@click.command(cls=Tool, example=EXAMPLE)
@click.argument("codes", required=False, type=Place(file_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=Place(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder to write the rows to, in train/ and validation/, with a card.",
)
@click.option("--overwrite", is_flag=True, help="Replace the rows that are in the folder already.")
@click.option(
    "--tokens",
    default="orpheus",
    metavar="orpheus|FILE",
    help="Which ids the codes have, and which ids stand around text and codes: orpheus for "
    "Orpheus, or a TOML file that describes another layout.",
)
@click.option(
    "--tokenizer",
    metavar="ID|DIR",
    help="Tokenizer of the language model: a Hub id, or a folder with tokenizer.json. [default: "
    "none; rows have the text, and the ids of the codes in codes_list]",
)
@click.option(
    "--prompt",
    default="{text}",
    metavar="TEXT",
    help="Text before the codes. A column of the manifest in braces stands for what it holds.",
)
@click.option(
    "--text-from",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Table (.csv, .tsv, .jsonl, .parquet) with an utterance_id, whose other columns go before "
    "those of the manifest. [default: none]",
)
@click.option(
    "--where",
    metavar="SQL",
    help="Take only utterances for which this SQL condition on the manifest's columns is true. "
    "[default: all]",
)
@click.option(
    "--max-tokens",
    type=click.IntRange(1),
    metavar="N",
    help="Leave out utterances of more ids than this, prompt and codes together. [default: none]",
)
@click.option(
    "--pack",
    type=click.IntRange(1),
    metavar="N",
    help="Put whole utterances together in rows of exactly N ids, padded at the end. [default: a "
    "row for each utterance]",
)
@click.option(
    "--drop-repeated",
    type=click.Choice(["off", "coarse"]),
    default="off",
    help="Drop frames whose coarse token is that of the frame before. It shortens the speech, so a "
    "voice that is trained on it speaks too fast; with off, the command says how many they are.",
)
@limit_options("Take")
@click.option(
    "--push",
    "repository",
    metavar="USER/NAME",
    help="Upload the rows to this data set on the Hub, but for the list of what was left out.",
)
@click.option(
    "--private",
    is_flag=True,
    help="With --push: if the data set does not exist, create it as a private one.",
)
@manifest_option
@artifacts_option
@max_reject_rate_option
def main(
    *,
    codes: Path | None,
    output: Path,
    overwrite: bool,
    tokens: str,
    tokenizer: str | None,
    prompt: str,
    text_from: Path | None,
    where: str | None,
    max_tokens: int | None,
    pack: int | None,
    drop_repeated: str,
    limit: int,
    val_limit: int,
    repository: str | None,
    private: bool,
    manifest: str | None,
    artifacts: Path | None,
    max_reject_rate: float,
) -> None:
    """Turn cached codes and their texts into parquet that a speaking language model trains on.

    CODES is the folder of the cache, by default ARTIFACTS/codes. datasets.load_dataset opens the
    result. Text, speaker and all other columns come from the manifest as it is now. An utterance
    without text, or with too many ids, is a row of rejects.parquet with its reason.
    """
    if private and not repository:
        raise BadInput("--private goes with --push USER/NAME")
    from snac_cache.manifests.stated import manifest_of_codes
    from snac_cache.rows.build import build_rows
    from snac_cache.rows.existing import check_replaceable
    from snac_cache.rows.prompts import Pattern
    from snac_cache.rows.request import RowsRequest
    from snac_cache.rows.tokenizer import TextTokenizer
    from snac_cache.rows.write import REJECTS_FILE
    from snac_common.files import check_writable, clear_leftovers
    from snac_common.progress import progress
    from snac_model.export.push import check_repository, push
    from snac_model.tokens.layout import token_layout

    if repository:
        check_repository(repository)
    layout = token_layout(tokens)
    check_layout(layout, tokens, with_text=tokenizer is not None, pack=pack)
    pattern = Pattern.parse(prompt)
    places = Artifacts.at(artifacts)
    folder = codes or places.codes
    refresh(folder, manifest or places.manifests, output)
    check_replaceable(output, overwrite=overwrite)
    check_writable(output)
    text_tokenizer = TextTokenizer(tokenizer) if tokenizer else None
    if text_tokenizer:
        text_tokenizer.check(layout)
    request = RowsRequest(
        codes=folder,
        manifest=manifest_of_codes(folder, manifest, places.manifests),
        layout=layout,
        tokenizer=text_tokenizer,
        pattern=pattern,
        text_from=text_from,
        where=where,
        limits=(limit, val_limit),
        max_tokens=max_tokens,
        pack=pack,
        drop_repeated=drop_repeated == "coarse",
        repository=repository,
    )
    clear_leftovers(output.parent)
    with progress(None, "rows", "utterances") as advance:
        report = build_rows(request, output, advance)
    say(report, request, output)
    made = sum(report.utterances.values())
    check_reject_rate(report.rejects, made, max_reject_rate, where=output / REJECTS_FILE)
    if repository:
        url = push(
            output,
            repository,
            private=private,
            kind="dataset",
            message="Speech as tokens",
            without=(REJECTS_FILE,),
        )
        note(f"uploaded to {url}")


def check_layout(layout: "TokenLayout", name: str, *, with_text: bool, pack: int | None) -> None:
    """Raise BadInput unless a token layout says all that the options need."""
    layout.id_range()
    if pack and not with_text:
        raise BadInput("--pack puts rows of ids together: give the --tokenizer of the text too")
    if with_text and layout.prompt is None:
        raise BadInput(
            f"the token layout {name} has no [prompt]: add before_text, after_text and after_codes "
            "there, each a list of ids, or leave out --tokenizer"
        )
    if pack and layout.prompt is not None and layout.prompt.pad is None:
        raise BadInput(f"--pack needs the id of the padding: add pad to [prompt] in {name}")


def say(report: "RowsReport", request: "RowsRequest", output: Path) -> None:
    """Say what was left out and what repeats, where the rows are, and the summary."""
    share = f"{report.repeated:,} of {report.frames:,} frames ({report.repeated_share:.1%})"
    if request.drop_repeated:
        note(
            f"dropped {share}, which repeat the coarse token before: the rows hold as much less "
            "speech, and a voice trained on them speaks that much too fast"
        )
    elif report.repeated:
        note(
            f"kept {share} that repeat the coarse token before; --drop-repeated coarse would take "
            "that much of the speech away"
        )
    if report.unlisted:
        note(f"{report.unlisted} cached utterances are not in {request.manifest}: left out")
    if report.not_encoded:
        from snac_cache.store.code_store import not_encoded_yet

        note(not_encoded_yet(report.not_encoded))
    note(f"rows in {output}")
    print_summary(
        rows=report.rows,
        utterances=report.utterances,
        tokens=report.tokens,
        longest=report.longest,
        filled=None if report.filled is None else round(report.filled, 4),
        frames=report.frames,
        repeated_frames=report.repeated,
        rejects=dict(report.rejects),
        not_encoded=report.not_encoded,
    )


if __name__ == "__main__":
    main()
