"""The whole of ``snac-decode``: find codes, read them in whatever form, decode them."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch

from snac_cache.convert.audio_out import AudioOutput
from snac_cache.convert.converted import Converted
from snac_cache.convert.decode import decode_utterances
from snac_cache.convert.live import decode_live
from snac_cache.convert.read import Row, find_codes, read_lines, read_parquet, read_token_lines
from snac_cache.convert.rejects import Rejects, Unusable
from snac_cache.convert.token_rows import read_token_rows
from snac_cache.convert.utterance_decoder import DecodeRequest
from snac_cache.encoding.precision import arithmetic
from snac_common.console import note
from snac_common.devices import prepare_cpu_worker
from snac_common.errors import BadInput, Failure
from snac_model.codec.snac import SNAC
from snac_model.codec.weights import weights_sha256
from snac_model.shapes.geometry import Geometry
from snac_model.tokens.text import BadToken, TokenReader


class BadTokens:
    """Counts bad tokens and says where they are, or stops at the first."""

    def __init__(self, *, stop: bool) -> None:
        self.stop = stop
        self.count = 0

    def __call__(self, bad: BadToken) -> None:
        """Take notice of one."""
        if self.stop:
            raise Failure(f"{bad}. Give --on-bad-token skip-frame to leave such frames out.")
        self.count += 1
        note(f"skipped a frame: {bad}")


def choose_rates(geometry: Geometry, asked: str | None) -> tuple[int, ...]:
    """Return the output rates that ``--rate`` asks for; raises BadInput if the model lacks one."""
    if asked is None:
        return geometry.output_rates[:1]
    if asked == "both":
        return geometry.output_rates
    if asked in map(str, geometry.output_rates):
        return (int(asked),)
    rates = " and ".join(map(str, geometry.output_rates))
    raise BadInput(f"--rate {asked}: this model decodes to {rates} Hz")


def decode_sources(
    model: SNAC,
    sources: Iterable[str],
    request: DecodeRequest,
    output: AudioOutput,
    rejects: Rejects,
    *,
    where: str | None,
    reader: TokenReader | None,
    seconds_done: Callable[[float], object],
) -> Converted:
    """Decode all codes in the sources.

    Args:
        model: loaded; its weight norm is folded.
        where: an SQL condition on rows of parquet.
        reader: of lines of tokens, where those are to be read.
        seconds_done: told of seconds of audio, within long utterances too.

    Raises:
        BadInput: if sources and options do not go together.
        Failure: if a source cannot be read.
    """
    files = find_codes(sources)
    if reader:
        reader.layout.check_model(model.geometry, model.config.codebook_size)
    if where and any(file.suffix != ".parquet" for file in files):
        raise BadInput("--where selects rows of parquet; the sources hold other files too")
    tokenizer_sha256 = weights_sha256(model.tokenizer_modules())
    model.fold_weight_norm()
    if request.device == "cpu":
        prepare_cpu_worker()
    with arithmetic("fp32", torch.device(request.device)):
        if reader and request.stream:
            if len(files) > 1:
                raise BadInput("--stream with --tokens reads one source, such as - for a pipe")
            with output.open("", request.rates[0]) as write:
                return decode_live(
                    model, request, files[0], reader, write, seconds_done=seconds_done
                )
        rows = _read(files, where, reader, tokenizer_sha256)
        return decode_utterances(model, rows, request, output, rejects, seconds_done=seconds_done)


def _read(
    files: list[Path], where: str | None, reader: TokenReader | None, tokenizer_sha256: str
) -> Iterator[Row | Unusable]:
    parquet = [file for file in files if file.suffix == ".parquet"]
    others = [file for file in files if file.suffix != ".parquet"]
    if parquet and reader:
        yield from read_token_rows(parquet, where, reader.layout)
    elif parquet:
        yield from read_parquet(parquet, where, tokenizer_sha256)
    for file in others:
        yield from read_token_lines(file, reader) if reader else read_lines(file)
