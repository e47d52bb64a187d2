"""``snac-encode``: audio to codes, for files, folders and pipes."""

from pathlib import Path

import click

from snac_cache.cli.conversion import conversion_options, sum_up
from snac_common.tool import Tool

EXAMPLE = """snac-encode ~/speech -o codes.parquet
snac-encode in.wav -o - --tokens orpheus | tee tokens.txt | snac-decode - --tokens orpheus -o out/
"""


@click.command(cls=Tool, example=EXAMPLE)
@click.argument(
    "sources", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True)
)
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    required=True,
    metavar="FILE|-",
    help="File to write the codes to, or - for standard output.",
)
@click.option(
    "--format",
    "how",
    type=click.Choice(["parquet", "jsonl", "text"]),
    help="Form of the codes. [default: what the output's ending says: .parquet, .jsonl or .txt; "
    "jsonl for standard output]",
)
@click.option(
    "--tokens",
    metavar="orpheus|FILE",
    help="Write the tokens that a language model uses, one line for each utterance: orpheus for "
    "Orpheus, or a TOML file that describes another layout. With --format jsonl a line has the id "
    "and the length too. [default: write codes]",
)
@conversion_options
def main(
    *,
    sources: tuple[Path, ...],
    output: str,
    how: str | None,
    tokens: str | None,
    model: str,
    device: str,
    workers: int | None,
    rejects: Path | None,
    max_reject_rate: float,
) -> None:
    """Encode audio to SNAC codes.

    SOURCES are audio files (wav, flac, ogg, opus, mp3) and folders of them, or - for one file on
    standard input. A file may be of any length. Parquet, JSON lines and text also hold the length
    of the audio, so that snac-decode restores it exactly. Lines of a language model's tokens alone
    do not.
    """
    from time import monotonic

    from snac_cache.convert.encode import encode_files
    from snac_cache.convert.rejects import recorded_rejects, rejects_path
    from snac_cache.convert.write import choose_format, choose_token_format, codes_writer
    from snac_cache.store.identity import CacheIdentity
    from snac_common.devices import available_cores, choose_device
    from snac_model.codec.loading import load
    from snac_model.tokens.layout import token_layout

    chosen = choose_token_format(output, how) if tokens else choose_format(output, how)
    layout = token_layout(tokens) if tokens else None
    device = choose_device(device, say="-" not in (output, *map(str, sources)))
    codec = load(model, device)
    if layout:
        layout.check_model(codec.geometry, codec.config.codebook_size)
    identity = CacheIdentity.of(codec, model, "fp32")
    started = monotonic()
    with (
        recorded_rejects(rejects or rejects_path(output)) as left_out,
        codes_writer(output, chosen, layout, identity) as write,
    ):
        done = encode_files(
            codec,
            device,
            list(sources),
            write,
            left_out,
            threads=(workers or available_cores()) if device == "cpu" else 1,
        )
    sum_up(
        done,
        left_out.reasons,
        doing="encode",
        seconds=monotonic() - started,
        output=output,
        max_reject_rate=max_reject_rate,
    )


if __name__ == "__main__":
    main()
