"""``snac-decode``: codes to audio, for files, folders and pipes."""

from pathlib import Path

import click

from snac_cache.cli.conversion import conversion_options, sum_up
from snac_common.errors import BadInput
from snac_common.progress import progress
from snac_common.tool import Tool

EXAMPLE = """snac-decode artifacts/codes -o audio --rate both --where "duration_s > 4"
snac-encode in.wav -o - | snac-decode - --stream --rate 24000 -o - | aplay -f S16_LE -r 24000
"""


class NoiseChoice(click.ParamType):
    """``random``, ``off`` or ``seed=N``."""

    name = "noise"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | int:
        """Return the seed, or the word."""
        if value in ("random", "off"):
            return value
        name, _, seed = value.partition("=")
        if name != "seed" or not seed.isdecimal():
            self.fail(f"{value!r}: write random, off or seed=N", param, ctx)
        return int(seed)


@click.command(cls=Tool, example=EXAMPLE)
@click.argument("sources", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    required=True,
    metavar="DIR|FILE|-",
    help="Folder to write the audio files to; or, for a single utterance, a .wav or .flac file; "
    "or - for raw 16-bit samples on standard output.",
)
@click.option(
    "--format",
    "how",
    type=click.Choice(["wav", "flac"]),
    default="wav",
    help="Format of the audio files in a folder.",
)
@click.option(
    "--rate",
    metavar="HZ|both",
    help="Sample rate of the audio, such as 48000; or both, for every rate that the model has. "
    "[default: the lowest of them]",
)
@click.option(
    "--where",
    metavar="SQL",
    help="Decode only those rows of parquet files for which this SQL condition is true. [default: "
    "all rows]",
)
@click.option(
    "--tokens",
    metavar="orpheus|FILE",
    help="Read the tokens that a language model writes, one line for each utterance: orpheus for "
    "Orpheus, or a TOML file that describes another layout. [default: read codes]",
)
@click.option(
    "--on-bad-token",
    type=click.Choice(["stop", "skip-frame"]),
    default="stop",
    help="What to do at a token that does not belong there: stop, or leave out its frame and go "
    "on. Its place is reported in both cases.",
)
@click.option(
    "--noise",
    type=NoiseChoice(),
    default="random",
    metavar="random|off|seed=N",
    help="Noise that the decoder adds: new each time, none, or drawn from a seed. With off or a "
    "seed, the audio is the same each time.",
)
@click.option(
    "--stream",
    is_flag=True,
    help="Write audio as soon as later codes cannot change it. Needs -o -.",
)
@click.option(
    "--look-ahead",
    type=click.IntRange(0),
    metavar="N",
    help="With --stream: wait for this many coarse tokens (85 ms each) before audio is written. "
    "Fewer give less delay and small errors. [default: as many as the audio depends on, 3]",
)
@conversion_options
def main(
    *,
    sources: tuple[str, ...],
    output: str,
    how: str,
    rate: str | None,
    where: str | None,
    tokens: str | None,
    on_bad_token: str,
    noise: str | int,
    stream: bool,
    look_ahead: int | None,
    model: str,
    device: str,
    workers: int | None,
    rejects: Path | None,
    max_reject_rate: float,
) -> None:
    """Decode SNAC codes to audio.

    SOURCES are files of codes as snac-encode writes them (parquet, JSON lines, text), folders of
    parquet files, such as the cache in artifacts/codes, or - for lines on standard input. The audio
    has exactly the length that was encoded. The tokens of a language model do not say that length,
    so they are decoded to whole coarse tokens of 85 ms.
    """
    if stream and output != "-":
        raise BadInput("--stream writes to a pipe: give -o -")
    if look_ahead is not None and not stream:
        raise BadInput("--look-ahead goes with --stream")
    from time import monotonic

    from snac_cache.convert.audio_out import AudioOutput
    from snac_cache.convert.rejects import recorded_rejects, rejects_path
    from snac_cache.convert.seconds import SecondsDone
    from snac_cache.convert.sources import BadTokens, choose_rates, decode_sources
    from snac_cache.convert.utterance_decoder import GPU_BATCH_SECONDS, DecodeRequest
    from snac_common.devices import available_cores, choose_device
    from snac_model.codec.loading import load
    from snac_model.tokens.layout import token_layout
    from snac_model.tokens.text import TokenReader

    bad_tokens = BadTokens(stop=on_bad_token == "stop")
    reader = TokenReader(token_layout(tokens), bad_tokens) if tokens else None
    device = choose_device(device, say="-" not in (output, *map(str, sources)))
    codec = load(model, device)
    request = DecodeRequest(
        rates=choose_rates(codec.geometry, rate),
        noise=noise,
        device=device,
        threads=(workers or available_cores()) if device == "cpu" and output != "-" else 1,
        batch_seconds=GPU_BATCH_SECONDS if device == "cuda" and output != "-" else 0.0,
        stream=stream,
        look_ahead=look_ahead,
    )
    audio = AudioOutput(output, f".{how}", request.rates)
    started = monotonic()
    with (
        recorded_rejects(rejects or rejects_path(output)) as left_out,
        progress(None, "decode", "s of audio") as advance,
    ):
        done = decode_sources(
            codec,
            sources,
            request,
            audio,
            left_out,
            where=where,
            reader=reader,
            seconds_done=SecondsDone(advance),
        )
    sum_up(
        done,
        left_out.reasons,
        doing="decode",
        seconds=monotonic() - started,
        output=output,
        max_reject_rate=max_reject_rate,
        rates=request.rates,
        bad_tokens=bad_tokens.count,
    )


if __name__ == "__main__":
    main()
