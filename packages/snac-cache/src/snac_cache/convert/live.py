"""A language model's tokens to audio while they are still being written."""

from collections.abc import Callable
from pathlib import Path

import torch

from snac_cache.convert.audio_out import WriteSamples, to_pcm
from snac_cache.convert.converted import Converted
from snac_cache.convert.read import read_frames
from snac_cache.convert.utterance_decoder import DecodeRequest
from snac_model.codec.snac import SNAC
from snac_model.codec.streaming import Audio, StreamingDecoder
from snac_model.tokens.text import TokenReader


def decode_live(
    model: SNAC,
    request: DecodeRequest,
    file: Path,
    reader: TokenReader,
    write: WriteSamples,
    *,
    seconds_done: Callable[[float], object],
) -> Converted:
    """Decode each frame as soon as it is whole, and write what audio is final by then.

    Args:
        model: whose frames the reader's layout describes.
        request: for one rate.
        file: of tokens, ``-`` for standard input.
        reader: of the tokens.
        write: takes 16-bit samples.
        seconds_done: told of seconds of audio.
    """
    decoder = StreamingDecoder(
        model, rates=request.rates, noise=request.noise_source(), look_ahead=request.look_ahead
    )
    done = Converted()
    frames = 0

    def give(audio: Audio) -> None:
        for piece in audio.values():
            write(to_pcm(piece[0, 0].cpu().numpy()))

    for frame in read_frames(file, reader):
        if frame is not None:
            levels = map(torch.from_numpy, reader.layout.to_levels([frame]))
            give(decoder.push([tokens[None].to(decoder.device) for tokens in levels]))
            frames += 1
            seconds_done(model.geometry.seconds(1))
        elif frames:
            give(decoder.finish())
            done.utterances += 1
            done.audio_seconds += model.geometry.seconds(frames)
            frames = 0
    return done
