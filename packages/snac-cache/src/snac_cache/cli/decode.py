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
@click.argument("sources", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="DIR|FILE|-",
    help="Folder for the audio files; a .wav or .flac file, for one utterance; or - for raw 16-bit "
    "samples on standard output.",
)
@click.option(
    "--format",
    "how",
    type=click.Choice(["wav", "flac"]),
    default="wav",
    help="Format of the files in a folder.",
)
@click.option(
    "--rate",
    metavar="HZ|both",
    help="Sample rate of the audio, or both for all that the model has. [default: its lowest]",
)
@click.option(
    "--where", metavar="SQL", help="Decode only the rows of parquet for which this is true."
)
@click.option(
    "--tokens",
    metavar="orpheus|FILE",
    help="Read the tokens of a language model, one line per utterance: those of Orpheus, or of a "
    "layout that a TOML file describes.",
)
@click.option(
    "--on-bad-token",
    type=click.Choice(["stop", "skip-frame"]),
    default="stop",
    help="At a token that does not belong there: stop, or leave its frame out. Its place is "
    "reported either way.",
)
@click.option(
    "--noise",
    type=NoiseChoice(),
    default="random",
    metavar="random|off|seed=N",
    help="Noise of the decoder: new each time, none, or drawn from a seed. With off or a seed the "
    "audio is the same each time.",
)
@click.option("--stream", is_flag=True, help="Write audio as soon as it is final. Needs -o -.")
@click.option(
    "--look-ahead",
    type=click.IntRange(0),
    metavar="N",
    help="With --stream: how many coarse tokens to wait for before audio is written. [default: as "
    "many as change it, which is exact]",
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
    """Decode SOURCES to audio of exactly the length that was encoded.

    SOURCES are parquet files of codes, folders of them (a cache, for instance), JSON lines, text
    as snac-encode writes it, or - for lines on standard input. The tokens of a language model do
    not say how long the audio was: they are decoded to whole coarse tokens.
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
    from snac_model.loading import load
    from snac_model.token_text import TokenReader
    from snac_model.tokens import token_layout

    bad_tokens = BadTokens(stop=on_bad_token == "stop")
    reader = TokenReader(token_layout(tokens), bad_tokens) if tokens else None
    device = choose_device(device)
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
        seconds=monotonic() - started,
        output=output,
        max_reject_rate=max_reject_rate,
        rates=request.rates,
        bad_tokens=bad_tokens.count,
    )


if __name__ == "__main__":
    main()
