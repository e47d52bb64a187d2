"""Reading audio by the sample, and resampling it.

soundfile reads and seeks wav, flac, ogg and mp3 with no system library; torchaudio's windowed sinc
resamples.
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from snac_model.audio.header import AudioHeader, SoundFile, open_audio
from snac_model.audio.memory import refuse_too_large
from snac_model.audio.mono_blocks import mono_blocks
from snac_model.audio.resampling import PIECE_SAMPLES, SincResampler, sinc_resampler
from snac_model.shapes.geometry import resampled_length

CPU = torch.device("cpu")


def read_mono(where: str | Path, start: int = 0, frames: int = -1) -> tuple[torch.Tensor, int]:
    """Read ``frames`` frames from ``start`` (default: all), channels averaged.

    Args:
        where: a path or a locator, see ``locators``.

    Returns:
        float32 ``[T]`` and the file's sample rate. T is less than asked for at the file's end.

    Raises:
        AudioError: as ``open_audio``; ``unreadable`` also where the file holds less than its header
            promises; ``non_finite`` where a sample is NaN or infinite; ``too_large`` for memory.
    """
    audio, header = read_with_header(where, start, frames)
    return audio, header.sample_rate


def read_with_header(
    where: str | Path, start: int = 0, frames: int = -1
) -> tuple[torch.Tensor, AudioHeader]:
    """Read like ``read_mono``, and return the whole header: the file is opened once."""
    with refuse_too_large(), open_audio(where) as (sound, header):
        blocks = list(mono_blocks(sound, start, frames))
        samples = blocks[0] if len(blocks) == 1 else np.concatenate([np.zeros(0, "f4"), *blocks])
    return torch.from_numpy(samples), header


def resample(audio: torch.Tensor, from_rate: int, to_rate: int) -> torch.Tensor:
    """Resample ``[..., T]`` to ``[..., ceil(T * to_rate / from_rate)]`` with a windowed sinc.

    Raises:
        AudioError: ``too_large`` where memory does not suffice.
    """
    if from_rate == to_rate:
        return audio
    length = resampled_length(audio.shape[-1], from_rate, to_rate)
    with refuse_too_large():
        resampler = sinc_resampler(from_rate, to_rate, audio.device)
        rows = audio.reshape(math.prod(audio.shape[:-1]), audio.shape[-1])
        resampled = resampler.whole(rows, length)
    return resampled.reshape(*audio.shape[:-1], length)


def resampled_blocks(where: str | Path, to_rate: int, block_samples: int) -> Iterator[torch.Tensor]:
    """Read a file of any length and resample it, in memory that does not grow with the length.

    Yields:
        float32 ``[block_samples]`` at ``to_rate``, channels averaged; the last is shorter. Put
        together they are ``resample(*read_mono(where), to_rate)``, on a CPU bit for bit.

    Raises:
        AudioError: as ``read_mono``, when the block in question is asked for.
    """
    with open_audio(where) as (sound, header), refuse_too_large():
        yield from _regrouped(_at_rate(sound, header, to_rate), block_samples)


def _at_rate(sound: SoundFile, header: AudioHeader, to_rate: int) -> Iterator[torch.Tensor]:
    """Read and resample an open file, ``[T]`` by the piece."""
    native = header.sample_rate
    if native == to_rate:
        return map(torch.from_numpy, mono_blocks(sound, block_frames=PIECE_SAMPLES))
    resampler = sinc_resampler(native, to_rate, CPU)
    blocks = map(torch.from_numpy, mono_blocks(sound, block_frames=resampler.advance))
    return _pieces(blocks, resampler, resampled_length(header.num_frames, native, to_rate))


def _pieces(
    blocks: Iterable[torch.Tensor], resampler: SincResampler, length: int
) -> Iterator[torch.Tensor]:
    """Resample blocks ``[T]`` piece by piece, ``length`` samples in all."""
    held = torch.zeros(resampler.width)
    silence = torch.zeros(resampler.window)
    done = 0
    for block in itertools.chain(blocks, itertools.repeat(silence)):
        held = torch.cat([held, block])
        while len(held) >= resampler.window and done < length:
            piece = resampler.apply(held[None, : resampler.window])[0]
            yield piece[: length - done]
            done += len(piece)
            held = held[resampler.advance :]
        if done >= length:
            return


def _regrouped(parts: Iterable[torch.Tensor], size: int) -> Iterator[torch.Tensor]:
    """Cut a stream of ``[T]`` anew: all of ``size`` but the last."""
    held: list[torch.Tensor] = []
    count = 0
    for part in parts:
        held.append(part)
        count += len(part)
        if count >= size:
            together = torch.cat(held)
            whole = count - count % size
            yield from together[:whole].split(size)
            held, count = [together[whole:]], count - whole
    if count:
        yield torch.cat(held)
