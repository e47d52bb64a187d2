"""What a stream that waits for less than the exact look-ahead gets wrong, on real speech.

With builtin:speech-small, a small codec that has learnt speech.
"""

from functools import partial
from pathlib import Path

import click
import torch

from snac_cache.manifests.find import find_audio
from snac_cache.manifests.sources import Source
from snac_common.tool import Tool
from snac_model import SNAC, StreamingDecoder, load
from snac_model.audio.reading import read_mono, resample
from snac_model.layers.noise import no_noise

BEFORE, AFTER = 1, 2  # coarse tokens beside the one whose audio is kept, in today's practice

Codes = list[torch.Tensor]


@click.command(cls=Tool, example="bench/look_ahead.py ../shared/speech/nathalie")
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--files", default=10, help="How many files of FOLDER to decode.")
def main(folder: Path, files: int) -> None:
    """Print how far audio is from that of the whole, for each look-ahead, and for windows."""
    torch.set_num_threads(1)
    paths = [file.path for file in find_audio([Source(folder, "")], 0.0)]
    chosen = paths[:: max(1, len(paths) // files)][:files]
    model = load("builtin:speech-small").fold_weight_norm()
    codes = [encode(model, path) for path in chosen]
    whole = [decode(model, levels) for levels in codes]
    ways = {str(count): partial(stream, model, look_ahead=count) for count in (0, 1, 2)}
    ways["3, all that matter"] = partial(stream, model, look_ahead=None)
    ways["2, windows of 4 decoded alone"] = partial(decode_windows, model)
    print(f"Error of less look-ahead, {len(codes)} files, builtin:speech-small:\n")
    print("| coarse tokens awaited | signal to error, dB | largest error |\n| --- | ---: | ---: |")
    for name, way in ways.items():
        error = torch.cat([way(levels) for levels in codes]) - torch.cat(whole)
        ratio = torch.cat(whole).pow(2).sum() / error.pow(2).sum()
        print(f"| {name} | {10 * ratio.log10():.0f} | {error.abs().max():.1g} |")
    print()


def encode(model: SNAC, path: Path) -> Codes:
    """Return a file's codes."""
    audio, rate = read_mono(path)
    with torch.inference_mode():
        return model.encode(resample(audio, rate, model.geometry.sample_rate)[None, None])


@torch.inference_mode()
def decode(model: SNAC, levels: Codes) -> torch.Tensor:
    """Decode a whole, ``[T]``."""
    audio: torch.Tensor = model.decode(levels, no_noise)[0, 0]
    return audio


def stream(model: SNAC, levels: Codes, look_ahead: int | None) -> torch.Tensor:
    """Decode token by token."""
    decoder = StreamingDecoder(model, noise=no_noise, look_ahead=look_ahead)
    rate = model.geometry.output_rates[0]
    return torch.cat([audio[rate][0, 0] for audio in decoder.decode(levels, 1)])


def decode_windows(model: SNAC, levels: Codes) -> torch.Tensor:
    """Decode each token in a window of its own, as people do, and keep its samples alone."""
    geometry, total = model.geometry, levels[0].shape[-1]
    kept = []
    for token in range(total):
        start, stop = max(0, token - BEFORE), min(total, token + 1 + AFTER)
        audio = decode(model, piece(model, levels, start, stop - start))
        kept.append(audio[geometry.sample_span(geometry.output_rates[0], token - start, 1)])
    return torch.cat(kept)


def piece(model: SNAC, levels: Codes, start: int, length: int) -> Codes:
    """Cut coarse tokens out of codes."""
    spans = [model.geometry.token_span(n, start, length) for n in range(len(levels))]
    return [level[:, span] for level, span in zip(levels, spans, strict=True)]


if __name__ == "__main__":
    main()
