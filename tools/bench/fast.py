"""The Fourier decoder against SNAC's own, on one thread: whole files, and token by token.

Both of the true size with random weights, which cost what others do. The contenders take turns, so
that a machine with other work on it slows all of them alike.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import onnxruntime
import snac
import torch
from decode import Codes, best_of_turns, piece, random_codes, times_with_audio

from snac_common.devices import prepare_cpu_worker
from snac_common.tool import Tool
from snac_model import SNAC, StreamingDecoder
from snac_model.codec.fourier_from_base import with_fourier_decoder
from snac_model.export.graphs import DecoderGraph
from snac_model.export.onnx_files import write_decoder
from snac_model.layers.noise import no_noise
from snac_model.shapes.config import SNAC_24KHZ
from snac_model.shapes.fourier_config import FourierConfig

PIECE = 16  # coarse tokens decoded at a time, as snac-decode does
STREAMED_TOKENS = 48
RATES = {"24 kHz": (24_000,), "24 and 48 kHz": (24_000, 48_000)}


@click.command(cls=Tool, example="bench/fast.py --seconds 16")
@click.option("--seconds", default=16.0, help="How much audio to decode.")
def main(seconds: float) -> None:
    """Print Markdown tables of both decoders' speed."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    base = SNAC(**SNAC_24KHZ.to_dict()).eval()
    official = snac.SNAC(**SNAC_24KHZ.to_dict()).eval()
    official.load_state_dict(base.state_dict())
    fast = {
        name: with_fourier_decoder(base, FourierConfig(rates)).fold_weight_norm()
        for name, rates in RATES.items()
    }
    base.fold_weight_norm()
    levels = random_codes(base, base.geometry.coarse_tokens(seconds), "cpu")
    with tempfile.TemporaryDirectory() as folder:
        whole_files(official, base, fast, levels, Path(folder))
    streams(base, fast)


def whole_files(
    official: snac.SNAC, base: SNAC, fast: dict[str, SNAC], levels: Codes, folder: Path
) -> None:
    """Print audio seconds per second of decoding one file."""
    seconds = base.geometry.seconds(levels[0].shape[-1])
    ways: dict[str, Callable[[], object]] = {
        "official package": partial(official.decode, levels),
        "SNAC's decoder, ours": partial(in_pieces, base, levels),
        "SNAC's decoder, onnxruntime": in_onnxruntime(base, 24_000, levels, folder / "snac.onnx"),
    }
    for name, model in fast.items():
        ways[f"Fourier decoder, {name}"] = partial(in_pieces, model, levels)
    ways["Fourier decoder, 24 kHz, onnxruntime"] = in_onnxruntime(
        fast["24 kHz"], 24_000, levels, folder / "fast.onnx"
    )
    prepare_cpu_worker()
    torch.set_num_threads(1)
    took = best_of_turns(ways)
    slowest = took["official package"]
    print(f"Decoding {seconds:.0f} s of audio, one thread, best of interleaved turns:\n")
    print("| | audio s / s | over the official package |\n| --- | ---: | ---: |")
    for name, best in took.items():
        print(f"| {name} | {seconds / best:.1f} | {slowest / best:.1f} |")
    print()


def in_pieces(model: SNAC, levels: Codes) -> None:
    """Decode as snac-decode does."""
    for _ in StreamingDecoder(model, noise=None).decode(levels, PIECE):
        pass


def in_onnxruntime(model: SNAC, rate: int, levels: Codes, path: Path) -> Callable[[], object]:
    """Return work that decodes with an exported graph on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    write_decoder(model, DecoderGraph(model, rate), path, noise=False)
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    inputs = {f"codes_{number}": level.numpy() for number, level in enumerate(levels)}
    return partial(session.run, None, inputs)


def streams(base: SNAC, fast: dict[str, SNAC]) -> None:
    """Print what a coarse token costs that comes alone."""
    levels = random_codes(base, STREAMED_TOKENS, "cpu")
    tokens = [piece(base, levels, start, 1) for start in range(STREAMED_TOKENS)]
    milliseconds = 1000 * base.geometry.seconds(1)
    print(f"Streaming on one core; a coarse token is {milliseconds:.1f} ms of audio:\n")
    print("| | awaits | first audio with token | median ms a token | least | of its duration |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    decoders = {"SNAC's decoder, 24 kHz": base} | {
        f"Fourier decoder, {name}": model for name, model in fast.items()
    }
    times: dict[str, list[float]] = {name: [] for name in decoders}
    for _ in range(3):
        for name, model in decoders.items():
            times[name] += times_with_audio(StreamingDecoder(model, noise=no_noise), tokens)
    for name, model in decoders.items():
        ordered = sorted(times[name])
        median, awaits = ordered[len(ordered) // 2], model.geometry.look_ahead_tokens
        first = STREAMED_TOKENS - len(ordered) // 3 + 1
        print(
            f"| {name} | {awaits} | {first} | {median:.1f} | {ordered[0]:.1f} "
            f"| {median / milliseconds:.0%} |"
        )
    print()


if __name__ == "__main__":
    with torch.inference_mode():
        main()
