"""Decoding utterances of equal length together, in pieces of bounded size."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch

from snac_cache.convert.audio_out import AudioOutput, Trimmed, to_pcm
from snac_cache.convert.utterance import CodedUtterance
from snac_model.codec import SNAC
from snac_model.noise import NoiseSource, SeededNoise, no_noise
from snac_model.streaming import Audio, StreamingDecoder

# Coarse tokens decoded at a time: so many that weights are read for a good deal of audio.
PIECE = {"cpu": 16, "cuda": 256}


@dataclass(frozen=True)
class DecodeRequest:
    """What the command was asked for.

    Attributes:
        rates: output rates in Hz.
        noise: ``random``, ``off``, or a seed.
        device: ``cpu`` or ``cuda``.
        threads: on a CPU, each with an utterance of its own.
        stream: write audio as soon as it is final.
        look_ahead: see StreamingDecoder.
    """

    rates: tuple[int, ...]
    noise: str | int
    device: str
    threads: int
    stream: bool = False
    look_ahead: int | None = None

    @property
    def piece(self) -> int:
        """Coarse tokens decoded at a time."""
        return 1 if self.stream else PIECE[self.device]

    def noise_source(self) -> NoiseSource | None:
        """Return the noise of one utterance."""
        if isinstance(self.noise, int):
            return SeededNoise(self.noise)
        return no_noise if self.noise == "off" else None


class UtteranceDecoder:
    """Decodes utterances of equal length, one batch after the other."""

    def __init__(self, model: SNAC, request: DecodeRequest) -> None:
        self.model = model
        self.request = request
        self.noise = request.noise_source()
        self.streaming: StreamingDecoder | None = None
        if request.stream or model.geometry.decoder_context is not None:
            self.streaming = StreamingDecoder(
                model, rates=request.rates, noise=self.noise, look_ahead=request.look_ahead
            )

    @torch.inference_mode()
    def pieces(self, codes: Sequence[np.ndarray]) -> Iterator[Audio]:
        """Yield the audio of codes ``[B, tokens]``; with local attention it is in one piece."""
        levels = [torch.from_numpy(level).to(self.request.device) for level in codes]
        if self.streaming is None:
            whole = self.model.decode_by_rate(levels, self.noise)
            yield {rate: whole[rate] for rate in self.request.rates}
        else:
            yield from self.streaming.decode(levels, self.request.piece)

    def decode(self, batch: list[CodedUtterance], output: AudioOutput) -> list[CodedUtterance]:
        """Decode a batch into its files."""
        geometry = self.model.geometry
        with ExitStack() as files:
            writers = {
                rate: [
                    Trimmed(
                        files.enter_context(output.open(utterance.utterance_id, rate)),
                        utterance.samples_at(rate, geometry),
                    )
                    for utterance in batch
                ]
                for rate in self.request.rates
            }
            for audio in self.pieces([np.stack(level) for level in _levels(batch)]):
                for rate, piece in audio.items():
                    samples = to_pcm(piece[:, 0].cpu().numpy())
                    for write, item in zip(writers[rate], samples, strict=True):
                        write(item)
        return batch


def _levels(batch: list[CodedUtterance]) -> Iterator[tuple[np.ndarray, ...]]:
    return zip(*(utterance.codes for utterance in batch), strict=True)
