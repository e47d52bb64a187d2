#!/usr/bin/env python
"""Figures of a codec for its model card: what it makes of speech, beside what no codec should do.

    uv run python tools/codec_figures.py builtin:speech-small ../shared/speech/kerstin/val

The controls are the same model with random weights in its decoder, white noise as loud as the
reference, and the codes shuffled in time. STOI needs `uv sync --group perceptual`.
"""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean

import click
import torch

from snac_cache.manifests.find import find_audio
from snac_cache.manifests.sources import Source
from snac_common.tool import Tool
from snac_eval.measuring.measure import FFT_SIZES_LOW
from snac_eval.metrics.pairs import NoValue, Pair, rms
from snac_eval.metrics.perceptual import stoi
from snac_eval.metrics.spectral import mel_distance
from snac_model import SNAC, load
from snac_model.audio.reading import read_mono, resample
from snac_model.codec.loading import untrained
from snac_model.layers.noise import SeededNoise
from snac_model.losses.reconstruction import MultiScaleSTFTLoss

Version = Callable[[torch.Tensor], torch.Tensor]
METRICS = ("STFT loss", "mel distance", "STOI")


@click.command(
    cls=Tool, example="codec_figures.py builtin:speech-small ../shared/speech/kerstin/val"
)
@click.argument("model")
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--limit", type=click.IntRange(1), help="Files of each folder, spread over it.")
@torch.inference_mode()
def main(model: str, folders: tuple[Path, ...], limit: int | None) -> None:
    """Print a Markdown table of MODEL's reconstruction of each of FOLDERS."""
    codec = load(model)
    print(f"| speech | version | {' | '.join(METRICS)} |\n| --- | --- | {'---: | ' * len(METRICS)}")
    for folder in folders:
        files = chosen(folder, limit)
        speech = [resample(*read_mono(file), codec.geometry.sample_rate) for file in files]
        for name, version in versions(codec, model).items():
            values = [measured(version(audio), audio, codec) for audio in speech]
            means = [mean(column) for column in zip(*values, strict=True)]
            print(f"| {folder} ({len(files)} files) | {name} | {' | '.join(means)} |")


def chosen(folder: Path, limit: int | None) -> list[Path]:
    """Return the audio files below a folder, or ``limit`` of them at equal distances."""
    files = [file.path for file in find_audio([Source(folder, "")], val_ratio=0)]
    return files[:: -(-len(files) // limit)] if limit else files


def versions(codec: SNAC, name: str) -> dict[str, Version]:
    """Return the reconstruction and its controls, each from audio ``[T]`` to audio ``[T]``."""
    torch.manual_seed(0)
    random = untrained(name).eval()

    def decoded(codes: list[torch.Tensor], model: SNAC, length: int) -> torch.Tensor:
        audio = model.decode_latents(codec.quantizer.from_codes(codes), SeededNoise(0))
        return next(iter(audio.values()))[0, 0, :length]

    return {
        "codec": lambda audio: decoded(encode(codec, audio), codec, len(audio)),
        "random decoder": lambda audio: decoded(encode(codec, audio), random, len(audio)),
        "white noise": lambda audio: torch.randn(len(audio)) * rms(audio),
        "shuffled codes": lambda audio: decoded(shuffled(encode(codec, audio)), codec, len(audio)),
    }


def encode(codec: SNAC, audio: torch.Tensor) -> list[torch.Tensor]:
    """Encode audio ``[T]``."""
    return codec.encode(audio[None, None])


def shuffled(codes: list[torch.Tensor]) -> list[torch.Tensor]:
    """Put the coarse frames of codes into another order, each with the finer codes below it."""
    order = torch.randperm(codes[0].shape[1])
    frames = (level.unflatten(1, (len(order), -1)) for level in codes)
    return [level[:, order].flatten(1) for level in frames]


def measured(output: torch.Tensor, reference: torch.Tensor, codec: SNAC) -> Iterator[float | None]:
    """Yield each metric of an output; None where it has no value."""
    pair = Pair.of(output, reference, codec.geometry.sample_rate)
    whole = torch.tensor([len(reference)])
    yield MultiScaleSTFTLoss(FFT_SIZES_LOW)(pair.output[None], pair.reference[None], whole).item()
    for metric in (mel_distance, intelligibility):
        try:
            yield metric(pair)
        except NoValue:
            yield None


def intelligibility(pair: Pair) -> float:
    """Return the STOI of a pair; raises NoValue too where it is not installed."""
    if not find_spec("pystoi"):
        raise NoValue("pystoi is not installed")
    return stoi(pair)["stoi"]


def mean(values: tuple[float | None, ...]) -> str:
    """Say the mean of the values that there are."""
    present = [value for value in values if value is not None]
    return f"{fmean(present):.3f}" if present else "-"


if __name__ == "__main__":
    main()
