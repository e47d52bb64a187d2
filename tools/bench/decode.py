"""Decoding: the official package against ours, whole files and streams, on the same codes.

With a model of the true size; random codes and weights cost what others do.
"""

import math
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from statistics import median

import click
import snac
import soundfile
import torch
from torch.utils.flop_counter import FlopCounterMode

from snac_cache.convert.audio_out import AudioOutput
from snac_cache.convert.decode import decode_utterances
from snac_cache.convert.rejects import Rejects
from snac_cache.convert.utterance_decoder import GPU_BATCH_SECONDS, DecodeRequest
from snac_cache.manifests.find import find_audio
from snac_cache.manifests.sources import Source
from snac_common.devices import available_cores, prepare_cpu_worker
from snac_common.tool import Tool
from snac_model import SNAC, DualHeadSNAC, StreamingDecoder
from snac_model.audio.header import read_header
from snac_model.export.graphs import DecoderGraph
from snac_model.export.onnx_files import decoder_name, open_session, write_decoder
from snac_model.shapes.config import SNAC_24KHZ

FILES = 20
TURNS = 3
STREAMED_TOKENS = 60
WINDOW = 4  # coarse tokens decoded for each new one, in today's practice: 1 before, 2 after

Codes = list[torch.Tensor]


@click.command(cls=Tool, example="bench/decode.py ../shared/speech/nathalie --device cpu")
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu")
def main(folder: Path, device: str) -> None:
    """Decode codes as long as the files of FOLDER in all ways and print Markdown tables."""
    paths = [file.path for file in find_audio([Source(folder, "")], 0.0)]
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        torch.manual_seed(0)
        model = SNAC(**SNAC_24KHZ.to_dict()).eval()
        official = snac.SNAC(**SNAC_24KHZ.to_dict()).eval().to(device)
        official.load_state_dict(model.state_dict())
        dual = DualHeadSNAC.from_base(model).to(device).fold_weight_norm()
        model = model.to(device)
        codes = [random_codes(model, length, device) for length in lengths(paths[:FILES], model)]
        whole_files(work, official, model, dual, codes)
        streams(official, model, dual, device)


def whole_files(
    work: Path, official: snac.SNAC, model: SNAC, dual: DualHeadSNAC, codes: list[Codes]
) -> None:
    """Print audio seconds per second of decoding files to files."""
    device = codes[0][0].device.type
    seconds = sum(model.geometry.seconds(levels[0].shape[-1]) for levels in codes)
    official_way: dict[str, Callable[[], object]] = {
        "official package, one file at a time, 24 kHz": partial(
            decode_officially, official, codes, work
        )
    }
    took = best_of_turns(official_way)  # first: what makes ready for ours would speed it up too
    base = min(took.values())
    limit = product_limit(official, codes[0]) if device == "cpu" else None
    if device == "cpu":
        prepare_cpu_worker()
    model.fold_weight_norm()
    took |= best_of_turns(our_ways(model, dual, codes, work))
    print(f"Decoding {len(codes)} files, {seconds:.0f} s of audio, {device}, best of {TURNS}:\n")
    print("| | audio s / s | ratio |\n| --- | ---: | ---: |")
    for name, best in took.items():
        print(f"| {name} | {seconds / best:.1f} | {base / best:.2f} |")
    if limit:
        print(f"| 24 kHz as products alone, at torch.mm's best | {limit:.1f} | |")
    print()


def our_ways(
    model: SNAC, dual: DualHeadSNAC, codes: list[Codes], work: Path
) -> dict[str, Callable[[], object]]:
    """Return our ways to decode the codes, by name."""
    device = codes[0][0].device.type
    threads = available_cores() if device == "cpu" else 1
    ways: dict[str, Callable[[], object]] = {}
    seconds = GPU_BATCH_SECONDS if device == "cuda" else 0.0
    for name, decoder in (("24 kHz", model), ("24 and 48 kHz", dual)):
        request = DecodeRequest(decoder.geometry.output_rates, "random", device, threads, seconds)
        title = f"snac-decode, {threads} workers, {name}"
        ways[title] = partial(decode_ours, decoder, codes, request, work / name)
    if device == "cpu":
        for rate in dual.geometry.output_rates:
            ways[f"onnxruntime, {rate} Hz, without noise"] = onnx_decoding(dual, rate, codes, work)
    return ways


def best_of_turns(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the least seconds of each way; they take turns, for a machine that is not quiet."""
    best = dict.fromkeys(ways, math.inf)
    for _ in range(TURNS):
        for name, work in ways.items():
            best[name] = min(best[name], timed(work))
    return best


def product_limit(official: snac.SNAC, levels: Codes) -> float:
    """Return audio seconds per second if decoding were nothing but one large matrix product."""
    with FlopCounterMode(display=False) as counter:
        audio = official.decode(levels)
    per_second = counter.get_total_flops() / (audio.shape[-1] / SNAC_24KHZ.sampling_rate)
    size = 2048
    square = torch.randn(size, size)
    took = min(timed(lambda: square @ square) for _ in range(20))
    return 2 * size**3 / took / per_second


def onnx_decoding(model: SNAC, rate: int, codes: list[Codes], folder: Path) -> Callable[[], object]:
    """Return work that decodes with an exported graph and writes the files."""
    path = write_decoder(model, DecoderGraph(model, rate), folder / decoder_name(rate), noise=False)
    session = open_session(path)

    def decode() -> None:
        for number, levels in enumerate(codes):
            inputs = {f"codes_{n}": level.numpy() for n, level in enumerate(levels)}
            soundfile.write(folder / f"{number}.wav", session.run(None, inputs)[0][0, 0], rate)

    return decode


def streams(official: snac.SNAC, model: SNAC, dual: DualHeadSNAC, device: str) -> None:
    """Print what a coarse token costs that comes alone; on a CPU, one thread."""
    token_ms = 1000 * model.geometry.seconds(1)
    levels = random_codes(model, STREAMED_TOKENS, device)
    tokens = [piece(model, levels, start, 1) for start in range(STREAMED_TOKENS)]
    whole = timed(lambda: model.decode(levels)) * 1000 / STREAMED_TOKENS
    print(f"Streaming, {device}; a coarse token is {token_ms:.1f} ms of audio:\n")
    print("| | awaits | first audio, ms | a token, ms | of its duration | over whole decoding |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    window = piece(model, levels, 0, WINDOW)
    repeated = median([1000 * timed(lambda: official.decode(window).cpu()) for _ in range(20)])
    row("official package, a window of 4 for each", 2, (repeated, repeated), token_ms, whole)
    exact = model.geometry.context_tokens
    for name, decoder in (("24 kHz", model), ("24 and 48 kHz", dual)):
        for look_ahead in (None, 2, 1):
            times = stream_times(StreamingDecoder(decoder, look_ahead=look_ahead), tokens)
            row(
                f"ours, {name}", exact if look_ahead is None else look_ahead, times, token_ms, whole
            )
    print()


def row(
    name: str, awaits: int, times: tuple[float, float], token_ms: float, whole_ms: float
) -> None:
    """Print one line; ``times`` are of the first audio and of a token, in milliseconds."""
    first, steady = times
    print(
        f"| {name} | {awaits} | {first:.0f} | {steady:.0f} | {steady / token_ms:.0%} "
        f"| {steady / whole_ms - 1:+.0%} |"
    )


def stream_times(decoder: StreamingDecoder, tokens: list[Codes]) -> tuple[float, float]:
    """Return milliseconds from the last token that the first audio needs to it, and of a token."""
    firsts, steady = [], []
    for _ in range(TURNS):
        elapsed = list(times_with_audio(decoder, tokens))
        firsts.append(elapsed[0])
        steady += elapsed[1:]
        decoder.finish()
    return median(firsts), median(steady)


def times_with_audio(decoder: StreamingDecoder, tokens: list[Codes]) -> Iterator[float]:
    """Yield the milliseconds of each token that brings audio."""
    for levels in tokens:
        started = time.perf_counter()
        audio = [piece.cpu() for piece in decoder.push(levels).values()]
        if audio[0].shape[-1]:
            yield 1000 * (time.perf_counter() - started)


def lengths(paths: list[Path], model: SNAC) -> Iterator[int]:
    """Yield the coarse tokens of each file."""
    for path in paths:
        header = read_header(path)
        samples = model.geometry.samples_from(header.sample_rate, header.num_frames)
        yield model.geometry.encoded_tokens(samples)[0]


def random_codes(model: SNAC, tokens: int, device: str) -> Codes:
    """Return codes of so many coarse tokens."""
    return [
        torch.randint(model.config.codebook_size, (1, tokens * count), device=device)
        for count in model.geometry.tokens_per_coarse
    ]


def piece(model: SNAC, levels: Codes, start: int, length: int) -> Codes:
    """Cut coarse tokens out of codes."""
    spans = [model.geometry.token_span(n, start, length) for n in range(len(levels))]
    return [level[:, span] for level, span in zip(levels, spans, strict=True)]


def as_rows(codes: Iterable[Codes]) -> Iterator[dict[str, object]]:
    """Yield codes as rows that snac-decode reads."""
    for number, levels in enumerate(codes):
        columns = {f"codes_{n}": level[0].cpu().numpy() for n, level in enumerate(levels)}
        yield {"utterance_id": str(number), **columns}


def decode_officially(official: snac.SNAC, codes: list[Codes], folder: Path) -> None:
    """Decode and write in the loop that people write."""
    for number, levels in enumerate(codes):
        with torch.inference_mode():
            audio = official.decode(levels)
        soundfile.write(folder / f"{number}.wav", audio[0, 0].cpu().numpy(), 24000)


def decode_ours(model: SNAC, codes: list[Codes], request: DecodeRequest, folder: Path) -> None:
    """Decode and write as snac-decode does."""
    output = AudioOutput(str(folder), ".wav", request.rates)
    decode_utterances(
        model, as_rows(codes), request, output, Rejects(), seconds_done=lambda seconds: None
    )


@torch.inference_mode()
def timed(work: Callable[[], object]) -> float:
    """Return wall-clock seconds of some work."""
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
